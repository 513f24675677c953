//! Which names say that their value is secret: `db_password`, `apiKey`, `PGPASSWORD`; and which only
//! sound like it: `password_file`, `passwordless`, `token_count`.
//!
//! A name is cut into words, and its last secret word decides together with its neighbours. It does
//! not look at values.

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
/// Most words of a name that are read.
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
const ENDINGS: &str = "\
    accesskey accountkey apikey passphrase passwd password passwords privatekey secret \
    secretkey token";

/// What stands before `pass` and `pw` in a glued word; without such a list `bypass` and `compass`
/// were secrets.
const GLUED_PASS: &str = "\
    admin auth bind db deststore destkey ftp http key keystore ldap login mail my mysql pg postgres \
    redis require root smtp sql srckey srcstore ssh ssl store sudo trust truststore user";

/// Kinds of keys that are kept secret; `public_key` and `ssh_key` are not.
const KEY_KINDS: &str = "\
    access account activation api app application auth client consumer decryption encrypt encryption \
    fernet hmac integration license master preshared priv private secret shared signing storage webhook";

/// Whether a value is a directory under a name that can mean one: `pwd`.
pub(super) fn is_directory(name: &[u8], value: &[u8]) -> bool {
    name.eq_ignore_ascii_case(b"pwd") && matches!(value.first(), Some(b'/' | b'~'))
}

/// After the secret word: the name is of something about the secret.
const HARMLESS_AFTER: &str = "\
    alias arn grace header inactive process stdin \
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
    usage used user users valid validity variable version wait warn warning window";

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
        || name.windows(3).any(|at| at == b"_|-")
    {
        return None;
    }
    // A file of a program, before the number of a line.
    let is_file = PROGRAMS.iter().any(|ending| name.ends_with(ending));
    if is_file || matches!(name, b"PWD" | b"OLDPWD") {
        return None;
    }
    let name = name.rsplit(|byte| matches!(byte, b'/' | b':')).next().unwrap_or(name);
    let words = words(name);
    let word = |at: usize| words.get(at).map_or("", String::as_str);
    for at in (0..words.len()).rev() {
        let before = at.checked_sub(1).map_or("", word);
        let (kind, before) = match of_word(word(at)) {
            Some(kind) => (kind, before),
            None if matches!(word(at), "key" | "keys") && is_in(KEY_KINDS, before) => {
                (Kind::Strong, at.checked_sub(2).map_or("", word))
            }
            None if word(at) == "pin" && !before.is_empty() => (Kind::Strong, before),
            None if word(at) == "passe" && before == "de" => (Kind::Strong, ""),
            None if word(at) == "salt" && before == "password" => (Kind::Strong, ""),
            None => continue,
        };
        let mut after = words.iter().skip(at + 1).map(String::as_str);
        // What charts call the name of a secret that is there.
        let is_name = matches!((before, word(at)), ("existing", "secret") | ("pull", "secrets"));
        if is_name || is_in(HARMLESS_BEFORE, before) || after.any(|next| is_about(word(at), next)) {
            return None;
        }
        return Some(kind);
    }
    None
}

/// Whether a word behind a secret word makes the name one about the secret. The id of a key is
/// public, the one of a secret (Vault's `secret_id`) is not.
fn is_about(secret: &str, next: &str) -> bool {
    is_in(HARMLESS_AFTER, next) || (matches!(next, "id" | "ids") && secret != "secret")
}

/// Whether a list of words, parted by spaces, has a word.
fn is_in(words: &str, word: &str) -> bool {
    !word.is_empty() && words.split(' ').any(|known| known == word)
}

/// What every secret name holds: most keys of a tree hold none of them.
const STEMS: [&[u8]; 16] = [
    b"pass",
    b"pw",
    b"psk",
    b"secret",
    b"token",
    b"key",
    b"auth",
    b"cred",
    b"cookie",
    b"pin",
    b"kennwort",
    b"contrase",
    b"community",
    b"senha",
    b"wachtwoord",
    b"heslo",
];

fn can_be_secret(name: &[u8]) -> bool {
    (0..name.len()).any(|start| {
        let rest = name.get(start..).unwrap_or_default();
        let first = rest.first().copied().unwrap_or_default();
        b"psktacwhPSKTACWH".contains(&first)
            && STEMS.iter().any(|stem| {
                rest.get(..stem.len()).is_some_and(|part| part.eq_ignore_ascii_case(stem))
            })
    })
}

fn of_word(word: &str) -> Option<Kind> {
    let word = word.trim_end_matches(|digit: char| digit.is_ascii_digit());
    if matches!(word, "nopasswd" | "nopassword") {
        return None;
    }
    if is_in(STRONG, word) || ENDINGS.split(' ').any(|ending| word.ends_with(ending)) {
        return Some(Kind::Strong);
    }
    if is_in(WEAK, word) {
        return Some(Kind::Weak);
    }
    let glued = word.strip_suffix("pass").or(word.strip_suffix("pwd")).or(word.strip_suffix("pw"));
    glued.is_some_and(|before| is_in(GLUED_PASS, before)).then_some(Kind::Strong)
}

/// The words of a name in lower case, cut at signs and at `camelCase`.
fn words(name: &[u8]) -> Vec<String> {
    let mut words: Vec<String> = Vec::new();
    let mut word = String::new();
    let mut bytes = name.iter().copied().peekable();
    let mut previous = 0u8;
    while let Some(byte) = bytes.next() {
        let next_is_lower = bytes.peek().is_some_and(u8::is_ascii_lowercase);
        let hump = byte.is_ascii_uppercase()
            && (previous.is_ascii_lowercase() || (previous.is_ascii_uppercase() && next_is_lower));
        if hump || !byte.is_ascii_alphanumeric() {
            finish(&mut word, &mut words);
        }
        if byte.is_ascii_alphanumeric() {
            word.push(char::from(byte.to_ascii_lowercase()));
        }
        previous = byte;
    }
    finish(&mut word, &mut words);
    words
}

fn finish(word: &mut String, words: &mut Vec<String>) {
    let word = std::mem::take(word);
    if !word.is_empty() && words.len() < MAX_WORDS {
        words.push(word);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
