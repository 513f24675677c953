//! Which rules of the site are in force beside those that the program brings.

use herald_core::redact::SiteRules;

use super::report::{Area, Finding, Report};

/// Says so, if there are some.
pub(super) fn judge(site: &SiteRules, report: &mut Report) {
    let names = ["key", "pattern", "glob of functions", "glob of minions", "glob of states"];
    let many = ["keys", "patterns", "globs of functions", "globs of minions", "globs of states"];
    let counted: Vec<String> = site
        .counts()
        .into_iter()
        .zip(names.into_iter().zip(many))
        .filter(|(count, _)| *count > 0)
        .map(|(count, (one, many))| format!("{count} {}", if count == 1 { one } else { many }))
        .collect();
    if !counted.is_empty() {
        let message = format!("redact adds to the rules: {}", counted.join(", "));
        report.push(Finding::ok(Area::Config, message));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sites_rules_are_counted() {
        let mut site = SiteRules::default();
        let mut report = Report::default();
        judge(&site, &mut report);
        assert!(report.findings.is_empty());
        site.add_key("licence_code").unwrap();
        site.add_minions("hsm*");
        site.add_minions("vault*");
        judge(&site, &mut report);
        assert_eq!(
            report.findings[0].message,
            "redact adds to the rules: 1 key, 2 globs of minions"
        );
    }
}
