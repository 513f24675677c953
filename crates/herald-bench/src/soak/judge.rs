//! Whether a figure grew: by the medians of its first and its last third, and by its slope. A single
//! bad sample on a busy machine says nothing; what goes up and stays up does.

use crate::table::median;

/// How much more a figure may be in the end: a share of what it was, or so much, whichever is more.
#[derive(Debug, Clone, Copy)]
pub(super) struct Limit {
    pub(super) name: &'static str,
    pub(super) unit: &'static str,
    pub(super) share: f64,
    pub(super) floor: f64,
}

/// What became of a figure.
#[derive(Debug, Clone, Copy)]
pub(super) struct Judged {
    first: f64,
    last: f64,
    /// By the slope, from the first sample to the last.
    grew: f64,
}

/// Fewer samples make no thirds.
const FEWEST: usize = 9;

impl Judged {
    /// Of times in seconds and figures, in order.
    pub(super) fn of(series: &[(f64, f64)]) -> Option<Self> {
        if series.len() < FEWEST || series.iter().any(|(_, figure)| !figure.is_finite()) {
            return None;
        }
        let third = series.len() / 3;
        let middle = |part: &[(f64, f64)]| median(part.iter().map(|(_, figure)| *figure).collect());
        let span = series.last()?.0 - series.first()?.0;
        Some(Self {
            first: middle(series.get(..third)?),
            last: middle(series.get(series.len() - third..)?),
            grew: slope(series) * span,
        })
    }
}

/// Theil's and Sen's: the median of the slopes between all pairs, which outliers do not bend.
fn slope(series: &[(f64, f64)]) -> f64 {
    let pairs = series.iter().enumerate().flat_map(|(number, (then, before))| {
        series.iter().skip(number + 1).map(move |(now, after)| (after - before) / (now - then))
    });
    median(pairs.filter(|slope| slope.is_finite()).collect())
}

impl Limit {
    fn allowed(&self, judged: &Judged) -> f64 {
        self.floor.max(self.share * judged.first)
    }

    pub(super) fn figure(&self, judged: &Judged) -> String {
        format!("{:.1} → {:.1} {}", judged.first, judged.last, self.unit).trim_end().to_owned()
    }

    pub(super) fn beside(&self, judged: &Judged) -> String {
        let allowed = self.allowed(judged);
        let text = format!("slope {:+.1}, may grow by {allowed:.1} {}", judged.grew, self.unit);
        text.trim_end().to_owned()
    }

    /// That it grew, if it did.
    pub(super) fn trouble(&self, judged: &Judged) -> Option<String> {
        let allowed = self.allowed(judged);
        let grew = judged.grew.max(judged.last - judged.first);
        (grew > allowed).then(|| {
            format!("{} grew: {}, {}", self.name, self.figure(judged), self.beside(judged))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMIT: Limit = Limit { name: "resident", unit: "MB", share: 0.1, floor: 4.0 };

    fn trouble(figure: impl Fn(u32) -> f64) -> Option<String> {
        let series: Vec<(f64, f64)> =
            (0..100).map(|number| (f64::from(number) * 3.0, figure(number))).collect();
        LIMIT.trouble(&Judged::of(&series).unwrap())
    }

    #[test]
    fn what_stays_does_not_grow_though_some_samples_are_far_off() {
        let noise = |number: u32| 30.0 + f64::from(number * 37 % 5);
        assert_eq!(trouble(|_| 30.0), None);
        assert_eq!(trouble(noise), None);
        assert_eq!(trouble(|number| if number % 7 == 0 { 300.0 } else { noise(number) }), None);
    }

    #[test]
    fn a_slow_leak_is_told() {
        let told = trouble(|number| 30.0 + f64::from(number) * 0.06 + f64::from(number * 37 % 3));
        assert_eq!(told.unwrap(), "resident grew: 32.0 → 35.9 MB, slope +5.9, may grow by 4.0 MB");
    }

    #[test]
    fn a_step_that_stays_is_told() {
        assert!(trouble(|number| if number < 60 { 30.0 } else { 40.0 }).is_some());
    }

    #[test]
    fn a_figure_that_could_not_be_had_is_not_judged_well() {
        let series: Vec<(f64, f64)> =
            (0..100).map(|number| (f64::from(number), f64::NAN)).collect();
        assert!(Judged::of(&series).is_none());
        assert!(Judged::of(&[(0.0, 1.0)]).is_none());
    }
}
