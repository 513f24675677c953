//! Names of users and groups, from the text of `/etc/passwd` and `/etc/group`.
//!
//! Knows no directory service: an account that only LDAP knows shows as its number, and is named by it.

/// The name of a user or group id in the text of `passwd` or `group`; the number where it has none.
pub(crate) fn name_of(id: u32, text: &str) -> String {
    let wanted = id.to_string();
    text.lines()
        .find_map(|line| {
            let mut fields = line.split(':');
            let name = fields.next()?;
            (fields.nth(1)? == wanted).then(|| name.to_owned())
        })
        .unwrap_or(wanted)
}

/// The id of a group: of its name in the text of `group`, or the number that it is called by.
pub(crate) fn gid_of(name: &str, text: &str) -> Option<u32> {
    let listed = text.lines().find_map(|line| {
        let mut fields = line.split(':');
        (fields.next()? == name).then(|| fields.nth(1)?.parse().ok())?
    });
    listed.or_else(|| name.parse().ok())
}

/// The id of a group of this machine.
pub(crate) fn gid(name: &str) -> Option<u32> {
    gid_of(name, &String::from_utf8_lossy(&std::fs::read("/etc/group").unwrap_or_default()))
}

/// The groups of a user, its own first; `None` when there is no such user.
pub(crate) fn groups_of(user: &str, passwd: &str, group: &str) -> Option<Vec<String>> {
    let own = passwd.lines().find_map(|line| {
        let mut fields = line.split(':');
        (fields.next()? == user).then(|| fields.nth(2))?
    })?;
    let mut groups = vec![own.parse().map_or_else(|_| own.to_owned(), |id| name_of(id, group))];
    for line in group.lines() {
        let mut fields = line.split(':');
        let (Some(name), Some(members)) = (fields.next(), fields.nth(2)) else {
            continue;
        };
        if members.split(',').any(|member| member.trim() == user) {
            groups.push(name.to_owned());
        }
    }
    Some(groups)
}
