//! Secrets that only their place tells: the third argument of `mysql.user_create`, and what
//! `pillar.get db:password` returns.
//!
//! A table of Salt's own functions. Keyword arguments are not its matter: their names tell.

use salt_event::Value;

use super::{Redactor, Secrets, tree};

/// Functions with a secret among their positional arguments, counted from 0.
pub(super) const PLACES: &[(&str, usize)] = &[
    ("apache.useradd", 2),
    ("artifactory.set_basic_auth", 2),
    ("drac.change_password", 1),
    ("drac.create_user", 1),
    ("influxdb.create_user", 1),
    ("influxdb.set_user_password", 1),
    ("influxdb08.user_chpass", 1),
    ("influxdb08.user_create", 1),
    ("ipmi.create_user", 2),
    ("ipmi.set_user_password", 2),
    ("keychain.install", 1),
    ("keychain.unlock_keychain", 1),
    ("keystone.user_create", 1),
    ("keystore.add", 2),
    ("keystore.list", 1),
    ("keystore.remove", 2),
    ("kubeadm.token_create", 0),
    ("kubeadm.token_delete", 0),
    ("lxc.set_password", 2),
    ("lxd.authenticate", 1),
    ("mongodb.user_create", 1),
    ("mysql.user_chpass", 2),
    ("mysql.user_create", 2),
    ("mysql.user_exists", 2),
    ("mysql.verify_login", 1),
    ("nacl.enc", 0),
    ("pdbedit.create", 1),
    ("pdbedit.generate_nt_hash", 0),
    ("pdbedit.modify", 1),
    ("rabbitmq.add_user", 1),
    ("rabbitmq.change_password", 1),
    ("rabbitmq.check_password", 1),
    ("random.hash", 0),
    ("random.shadow_hash", 1),
    ("shadow.gen_password", 0),
    ("shadow.set_password", 1),
    ("tomcat.passwd", 0),
    // On Windows; elsewhere it is the user's number.
    ("user.add", 1),
    ("user.enable_auto_login", 1),
    ("user.setpassword", 1),
    ("webutil.useradd", 2),
    ("webutil.verify", 2),
    ("zookeeper.make_digest_acl", 1),
];

/// Functions that set a value under a name, and the places of both. The value is secret if the name
/// is.
const NAMED: &[(&str, usize, usize)] = &[
    ("consul.put", 2, 3),
    ("data.cas", 0, 1),
    ("data.update", 0, 1),
    ("debconf.set", 1, 3),
    ("environ.setval", 0, 1),
    ("etcd.set", 0, 1),
    ("grains.append", 0, 1),
    ("grains.set", 0, 1),
    ("grains.setval", 0, 1),
    ("reg.set_value", 2, 3),
    ("redis.set_key", 0, 1),
    ("sdb.set", 0, 1),
];

/// Functions that return what a name stands for.
const LOOKUPS: &[&str] = &[
    "config.get",
    "config.option",
    "consul.get",
    "data.get",
    "environ.get",
    "etcd.get",
    "grains.get",
    "pillar.fetch",
    "pillar.get",
    "pillar.item",
    "pillar.raw",
    "pillar.obfuscate",
    "redis.get_key",
    "sdb.get",
];

/// Functions that return nothing but secrets.
const SECRET_RETURNS: &[&str] = &[
    "nacl.dec",
    "nacl.keygen",
    "nacl.sealedbox_decrypt",
    "nacl.secretbox_decrypt",
    "random.get_str",
    "sdb.get",
    "shadow.gen_password",
    "vault.generate_secret_id",
    "vault.generate_token",
    "vault.read_secret",
    "gpg.export_key",
    "auth.mk_token",
    "vault.generate_new_token",
    "sdb.get_or_set_hash",
];

/// Hides the arguments that are secret by their place.
pub(super) fn redact(rules: &Redactor, fun: &str, arg: &mut Value<'_>, secrets: &mut Secrets) {
    let Value::Array(items) = arg else { return };
    for (_, place) in PLACES.iter().filter(|(name, _)| *name == fun) {
        if let Some(item) = items.get_mut(*place).filter(|item| !is_keywords(item)) {
            tree::hide_leaves(rules, item, secrets);
        }
    }
    for (_, name, value) in NAMED.iter().filter(|(known, ..)| *known == fun) {
        let named = items.get(*name).and_then(Value::as_text);
        let named = named.is_some_and(|name| rules.names_secret(name.as_bytes()));
        if let Some(item) = items.get_mut(*value).filter(|item| named && !is_keywords(item)) {
            tree::hide_leaves(rules, item, secrets);
        }
    }
}

/// Whether all that a function returns is secret.
pub(super) fn returns_secret(rules: &Redactor, fun: &str, arg: &Value<'_>) -> bool {
    let Value::Array(items) = arg else {
        return SECRET_RETURNS.contains(&fun);
    };
    let mut names = items.iter().flat_map(|item| match item {
        Value::Map(pairs) => pairs.iter().filter_map(|(_, value)| value.as_text()).collect(),
        other => other.as_text().map_or_else(Vec::new, |text| vec![text]),
    });
    SECRET_RETURNS.contains(&fun)
        || (LOOKUPS.contains(&fun) && names.any(|name| rules.names_secret(name.as_bytes())))
}

fn is_keywords(item: &Value<'_>) -> bool {
    item.get("__kwarg__").is_some()
}
