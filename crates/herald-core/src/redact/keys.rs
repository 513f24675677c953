//! Which names say that their value is secret: `db_password`, `apiKey`, `PGPASSWORD`; and which only
//! sound like it: `password_file`, `passwordless`, `token_count`.
//!
//! A name is cut into words, and its last secret word decides together with its neighbours. It does
//! not look at values.

use std::sync::LazyLock;

use super::values::{at, slice};
use super::words::Words;

/// How sure a name makes us.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// The value is a secret.
    Strong,
    /// The value is often a secret; in running text it has to look like one.
    Weak,
}

/// Longest name that is read.
const MAX_NAME: usize = 128;
/// Most words of a name that are read, its last ones.
const MAX_WORDS: usize = 12;

/// A word that is secret by itself.
const STRONG: &str = "\
    accesskey accountkey activationkey apikey apikeys authkey bindpw community contrase contrasena \
    heslo kennwort masterauth masterkey pass passcode passwort passwordsalt rocommunity rwcommunity senha \
    wachtwoord \
    passphrase passphrases passwd passwds password passwords presharedkey privatekey privkey \
    psk pw pwd requirepass rootpw secret secretkey secrets sharedkey signingkey token tokens";

const WEAK: &str = "\
    auth authorization cookie cred credential credentials creds";

/// Endings of words that were glued together: `dbpassword`, `PGPASSWORD`.
const ENDINGS: [&str; 11] = [
    "accesskey",
    "accountkey",
    "apikey",
    "passphrase",
    "passwd",
    "password",
    "passwords",
    "privatekey",
    "secret",
    "secretkey",
    "token",
];

/// What stands before `pass` and `pw` in a glued word; without such a list `bypass` and `compass`
/// were secrets.
const GLUED_PASS: &str = "\
    admin auth bind db deststore destkey ftp http key keystore ldap login mail my mysql pg postgres \
    redis require root smtp sql srckey srcstore ssh ssl store sudo trust truststore user";

/// Kinds of keys that are kept secret; `public_key` and `ssh_key` are not.
const KEY_KINDS: &str = "\
    access account activation api app application auth client consumer decryption encrypt encryption \
    cipher fernet gossip hmac integration license master munge preshared recovery sas service session totp priv private secret shared signing storage webhook";

/// Whether a value is a directory under a name that can mean one: `pwd`.
pub(super) fn is_directory(name: &[u8], value: &[u8]) -> bool {
    name.eq_ignore_ascii_case(b"pwd") && matches!(value.first(), Some(b'/' | b'~'))
}

/// After the secret word: the name is of something about the secret.
const HARMLESS_AFTER: &str = "\
    alias arn grace header inactive process stdin \
    accessor accessors map maps num orphan policies renewable \
    age alg algorithm algorithms attempts audience authentication backend bits bucket cache \
    change changed check checks class cmd column command complexity count created date days \
    desc description dir directory disabled driver enabled encoding endpoint endpoints engine \
    env events expiration expire expired expires expiry field file filename files fingerprint \
    folder format generator group help hint history host interval issuer label len length less \
    lifetime limit limits lock locked manager max mechanism method methods min mode module \
    modules mount name names owner path paths pattern period plugin policies policy port \
    prefix prompt provider providers quality realm ref regex renewal require required \
    requirements reset retries reuse role rotation rules safemode scheme scope scopes script \
    separator server service size source state stats status storage store strength suffix \
    support supported template timeout title tries ttl type types updated uri uris url urls \
    usage used user users uses valid validity variable version wait warn warning window";

/// Endings of names that are files' in a trace.
const PROGRAMS: [&[u8]; 6] = [b".go", b".java", b".js", b".php", b".py", b".rb"];

/// Before the secret word: the name is of a choice or a number.
const HARMLESS_BEFORE: &str = "\
    allow ask bypass completion disable empty enable enforce expire forgot generate has hash \
    hide input is lock max min missing need needs no num number output permit prompt public \
    rate require requires total unexpected unlock use uses validate without";

/// Whether a map's key or an option says that its value is secret.
pub(super) fn names_secret(name: &str) -> bool {
    kind_of(name.as_bytes()).is_some()
}

/// The same for bytes: also whether a value is only the name of a secret.
pub(super) fn names_secret_bytes(name: &[u8]) -> bool {
    kind_of(name).is_some()
}

/// How secret a name says that its value is.
pub(super) fn kind_of(name: &[u8]) -> Option<Kind> {
    // A path names a file, and `_|-` stands in the keys of state results.
    if name.len() > MAX_NAME
        || !can_be_secret(name)
        || name.starts_with(b"/")
        || memchr::memchr_iter(b'|', name).any(|at| is_state_key(name, at))
    {
        return None;
    }
    // A file of a program, before the number of a line.
    let is_file = name.contains(&b'.') && PROGRAMS.iter().any(|ending| name.ends_with(ending));
    if is_file || matches!(name, b"PWD" | b"OLDPWD") {
        return None;
    }
    let name = name.rsplit(|byte| matches!(byte, b'/' | b':')).next().unwrap_or(name);
    let words = Cut::of(name);
    for at in (0..words.count).rev() {
        let before = at.checked_sub(1).map_or(&b""[..], |at| words.word(at));
        let (kind, before) = match of_word(words.word(at)) {
            Some(kind) => (kind, before),
            None => match with_neighbour(words.word(at), before) {
                Some(back) => {
                    (Kind::Strong, at.checked_sub(back).map_or(&b""[..], |at| words.word(at)))
                }
                None => continue,
            },
        };
        let word = words.word(at);
        let mut after = (at + 1..words.count).map(|at| words.word(at));
        // What charts call the name of a secret that is there.
        let is_name = is(before, "existing") && is(word, "secret")
            || is(before, "pull") && is(word, "secrets");
        if is_name || has(before, BEFORE) || after.any(|next| is_about(word, next)) {
            return None;
        }
        return Some(kind);
    }
    None
}

/// Whether a bar is that of `_|-`.
fn is_state_key(name: &[u8], bar: usize) -> bool {
    bar.checked_sub(1).is_some_and(|before| at(name, before) == b'_') && at(name, bar + 1) == b'-'
}

/// Of a word that is secret with the one before it: how many words back the one stands that may make
/// it harmless.
fn with_neighbour(word: &[u8], before: &[u8]) -> Option<usize> {
    if is(word, "key") || is(word, "keys") {
        return has(before, KEY_KIND).then_some(2);
    }
    if is(word, "pin") {
        return (!before.is_empty()).then_some(1);
    }
    let is_pair = is(word, "passe") && is(before, "de")
        || is(word, "salt") && (is(before, "password") || is(before, "ticket"));
    is_pair.then_some(MAX_WORDS)
}

/// Whether a word behind a secret word makes the name one about the secret. The id of a key is
/// public, the one of a secret (Vault's `secret_id`) is not.
fn is_about(secret: &[u8], next: &[u8]) -> bool {
    has(next, AFTER) || ((is(next, "id") || is(next, "ids")) && !is(secret, "secret"))
}

/// Whether a word says something about secrets, and is of none: `lifetime`, `count`.
pub(super) fn is_about_secrets(word: &[u8]) -> bool {
    has(word, AFTER)
}

fn is(word: &[u8], known: &str) -> bool {
    word.eq_ignore_ascii_case(known.as_bytes())
}

/// What every secret name holds: most keys of a tree hold none of them.
pub(super) const STEMS: [&str; 17] = [
    "pass",
    "pw",
    "psk",
    "secret",
    "token",
    "key",
    "auth",
    "cred",
    "cookie",
    "pin",
    "kennwort",
    "contrase",
    "community",
    "senha",
    "wachtwoord",
    "heslo",
    "ticket_salt",
];

/// Whether a name holds one of them.
fn can_be_secret(name: &[u8]) -> bool {
    (0..name.len()).any(|start| {
        let rest = name.get(start..).unwrap_or_default();
        rest.first().is_some_and(|first| {
            matches!(
                first.to_ascii_lowercase(),
                b'a' | b'c' | b'h' | b'k' | b'p' | b's' | b't' | b'w'
            )
        }) && STEMS.iter().any(|stem| rest.get(..stem.len()).is_some_and(|part| is(part, stem)))
    })
}

/// What is said of words; one can be on several lists.
type Lists = u8;
const IS_STRONG: Lists = 1;
const IS_WEAK: Lists = 2;
const KEY_KIND: Lists = 4;
const AFTER: Lists = 8;
const BEFORE: Lists = 16;
const BEFORE_PASS: Lists = 32;

static WORDS: LazyLock<Words<Lists>> = LazyLock::new(|| {
    let lists = [
        (STRONG, IS_STRONG),
        (WEAK, IS_WEAK),
        (KEY_KINDS, KEY_KIND),
        (HARMLESS_AFTER, AFTER),
        (HARMLESS_BEFORE, BEFORE),
        (GLUED_PASS, BEFORE_PASS),
    ];
    let words =
        lists.into_iter().flat_map(|(words, list)| words.split(' ').map(move |it| (it, list)));
    Words::new(words, |all, list| *all |= list)
});

/// Whether a word is on one of the lists.
fn has(word: &[u8], lists: Lists) -> bool {
    WORDS.get(word).is_some_and(|of| of & lists != 0)
}

fn of_word(word: &[u8]) -> Option<Kind> {
    let digits = word.iter().rev().take_while(|byte| byte.is_ascii_digit()).count();
    let word = slice(word, 0..word.len() - digits);
    if is(word, "nopasswd") || is(word, "nopassword") {
        return None;
    }
    let ends = |ending: &str| {
        let tail = slice(word, word.len().saturating_sub(ending.len())..word.len());
        is(tail, ending)
    };
    if has(word, IS_STRONG) || ENDINGS.into_iter().any(ends) {
        return Some(Kind::Strong);
    }
    if has(word, IS_WEAK) {
        return Some(Kind::Weak);
    }
    let glued = ["pass", "pwd", "pw"].into_iter().find(|ending| ends(ending))?;
    has(slice(word, 0..word.len() - glued.len()), BEFORE_PASS).then_some(Kind::Strong)
}

/// A name cut into words, at signs and at `camelCase`.
struct Cut<'n> {
    name: &'n [u8],
    words: [(u8, u8); MAX_WORDS],
    count: usize,
}

impl<'n> Cut<'n> {
    fn of(name: &'n [u8]) -> Self {
        let mut cut = Cut { name, words: [(0, 0); MAX_WORDS], count: 0 };
        let (mut begin, mut previous) = (0, 0u8);
        for (place, &byte) in name.iter().enumerate() {
            let next_is_lower = at(name, place + 1).is_ascii_lowercase();
            let hump = byte.is_ascii_uppercase()
                && (previous.is_ascii_lowercase()
                    || (previous.is_ascii_uppercase() && next_is_lower));
            if hump || !byte.is_ascii_alphanumeric() {
                cut.push(begin, place);
                begin = if hump { place } else { place + 1 };
            }
            previous = byte;
        }
        cut.push(begin, name.len());
        cut
    }

    /// Names are no longer than [`MAX_NAME`], so that places fit. Of too many words the last ones say what it is.
    fn push(&mut self, begin: usize, end: usize) {
        if begin >= end {
            return;
        }
        if self.count == MAX_WORDS {
            self.words.rotate_left(1);
            self.count -= 1;
        }
        if let Some(word) = self.words.get_mut(self.count) {
            *word = (begin as u8, end as u8);
            self.count += 1;
        }
    }

    fn word(&self, at: usize) -> &'n [u8] {
        let (begin, end) = self.words.get(at).copied().unwrap_or_default();
        slice(self.name, usize::from(begin)..usize::from(end))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_word_is_passed_over_before_it_is_looked_up() {
        for word in STRONG.split(' ').chain(WEAK.split(' ')).chain(ENDINGS).chain(STEMS) {
            assert!(can_be_secret(word.as_bytes()), "{word}");
        }
    }

    #[test]
    fn names_of_secrets() {
        for name in
            "password passwd pass pwd db_password MYSQL_ROOT_PASSWORD dbPassword PGPASSWORD \
            MYSQL_PWD apiKey API_KEY api-key x-api-key apikey secret client_secret clientSecret \
            private_key privateKey ssh_private_key tokens access_token authToken X-Auth-Token \
            PRIVATE-TOKEN rootpw bindpw ldap_pw dbpass requirepass passphrase password1 password_2 \
            secret_id aws_secret_access_key AWSSecretAccessKey AccountKey SharedAccessKey \
            secret_key_base pass_prod wpa_psk pre_shared_key password_hash mysql:root:password \
            mysql-server/root_password credentials auth Authorization Proxy-Authorization _auth \
            erlang_cookie encryption_key smtp.password accesstoken"
                .split_whitespace()
        {
            assert!(names_secret(name), "{name}");
        }
    }

    #[test]
    fn names_that_only_sound_like_it() {
        for name in "password_file passwordless token_count secret_name auth_type PasswordAuthentication \
            max_tokens num_tokens no_password bypass compass passed passes failed passenger tokenizer \
            secretary author authors authenticated key keys public_key pubkey ssh_key host_key \
            access_key_id PWD OLDPWD cwd /etc/passwd passwd_file token_type token_ttl has_password \
            enforce_password hash_password password_min_length PASS_MAX_DAYS_file auth_method \
            authorized_keys authentication monkey keyboard secretsmanager credential_provider \
            file_|-passwords_|-/x_|-managed sort_key primary_key foreign_key key_id unlock_password"
            .split_whitespace()
        {
            assert!(!names_secret(name), "{name}");
        }
    }
}
