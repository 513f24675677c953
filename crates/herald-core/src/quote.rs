//! Words of a shell, quoted so that what is shown can be pasted, and is one visible line.
//!
//! As Python's `shlex.quote` writes them, so that people recognise them. It quotes for every POSIX
//! shell, so that `$'…'` is not used; it does not escape for any chat or page.

use std::borrow::Cow;
use std::fmt::Write;

/// One word: bare if nothing in it is special, in `'…'` else, and made by `"$(printf '…')"` when it
/// holds characters that break the line or can't be seen.
///
/// Two things no word says: a NUL, which no argument can hold, and line ends at the very end, which
/// `$(…)` takes off. Who has to say these asks [`escaped`].
pub fn quote(text: &str) -> Cow<'_, str> {
    if !text.is_empty() && !text.starts_with('=') && text.chars().all(is_plain) {
        return Cow::Borrowed(text);
    }
    if text.chars().any(is_unseen) {
        return Cow::Owned(format!("\"$(printf '{}')\"", escaped(text)));
    }
    let mut out = String::with_capacity(text.len() + 2);
    out.push('\'');
    for part in text.split_inclusive('\'') {
        match part.strip_suffix('\'') {
            Some(before) => {
                out.push_str(before);
                out.push_str("'\"'\"'");
            }
            None => out.push_str(part),
        }
    }
    out.push('\'');
    Cow::Owned(out)
}

/// What needs no quotes in any shell: the characters that Python takes for safe. Only at the very
/// beginning zsh reads a `=` otherwise.
fn is_plain(c: char) -> bool {
    c.is_ascii_alphanumeric() || "_@%+=:,./-".contains(c)
}

/// Whether a character breaks the line, turns the direction of writing, or takes no place.
pub fn is_unseen(c: char) -> bool {
    matches!(c,
        '\0'..='\u{1f}' | '\u{7f}'..='\u{9f}' | '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}'
        | '\u{1160}' | '\u{17b4}' | '\u{17b5}' | '\u{180b}'..='\u{180f}' | '\u{200b}'..='\u{200f}'
        | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{3164}' | '\u{fe00}'..='\u{fe0f}'
        | '\u{feff}' | '\u{ffa0}' | '\u{fff0}'..='\u{fffb}' | '\u{fffe}' | '\u{ffff}'
        | '\u{1d173}'..='\u{1d17a}' | '\u{e0000}'..='\u{e0fff}')
}

/// What `printf` makes the text of, to be put between single quotes.
pub fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 16);
    for (place, c) in text.chars().enumerate() {
        match c {
            '\\' => out.push_str("\\\\"),
            '%' => out.push_str("%%"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            // Quotes would end what they stand in; shells replace `!` in double quotes when they talk
            // to people; `printf` takes a `-` at the beginning for an option.
            '\'' | '"' | '`' | '!' => octal(c, &mut out),
            '-' if place == 0 => octal(c, &mut out),
            _ if is_unseen(c) => octal(c, &mut out),
            _ => out.push(c),
        }
    }
    out
}

/// Bytes and not `\u`: those mean the same in every locale. Always of three digits, so that no digit
/// behind them is read as theirs.
fn octal(c: char, out: &mut String) {
    for byte in c.encode_utf8(&mut [0; 4]).bytes() {
        // Writing to a string does not fail.
        let _ = write!(out, "\\{byte:03o}");
    }
}

/// The same shell words without a backtick, which some chats take for the end of code: `printf` makes
/// it, so that the line still says the same when it is pasted.
pub fn without_backticks(line: &str) -> Cow<'_, str> {
    if !line.contains('`') {
        return Cow::Borrowed(line);
    }
    let mut out = String::with_capacity(line.len() + 32);
    let mut inside = Inside::Nothing;
    let mut characters = line.chars();
    while let Some(c) = characters.next() {
        let escapes = c == '\\' && inside != Inside::Single;
        let next = if escapes { characters.next() } else { None };
        if c == '`' || next == Some('`') {
            out.push_str(match inside {
                Inside::Nothing => r#""$(printf '\140')""#,
                Inside::Single => r#"'"$(printf '\140')"'"#,
                Inside::Double => r"$(printf '\140')",
            });
            continue;
        }
        inside = match (inside, c) {
            (Inside::Nothing, '\'') => Inside::Single,
            (Inside::Nothing, '"') => Inside::Double,
            (Inside::Single, '\'') | (Inside::Double, '"') => Inside::Nothing,
            _ => inside,
        };
        out.push(c);
        out.extend(next);
    }
    Cow::Owned(out)
}

/// Which quotes a character of a line stands in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Inside {
    Nothing,
    Single,
    Double,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn backticks_are_written_out() {
        for (line, without) in [
            ("echo hi", "echo hi"),
            ("'`id`'", r#"''"$(printf '\140')"'id'"$(printf '\140')"''"#),
            ("'it'\"'\"'s `'", r#"'it'"'"'s '"$(printf '\140')"''"#),
            (r#"\`"`\`""#, r#""$(printf '\140')""$(printf '\140')$(printf '\140')""#),
        ] {
            assert_eq!(without_backticks(line), without);
        }
    }

    #[test]
    fn words_are_quoted_as_python_does() {
        for (text, quoted) in [
            ("", "''"),
            ("web1", "web1"),
            ("roles:web", "roles:web"),
            ("a/b,c.d=e+f@g%h-i_j", "a/b,c.d=e+f@g%h-i_j"),
            ("=ls", "'=ls'"),
            ("*", "'*'"),
            ("echo hi", "'echo hi'"),
            ("it's", "'it'\"'\"'s'"),
            ("'", "''\"'\"''"),
            ("$HOME", "'$HOME'"),
            ("[hidden]", "'[hidden]'"),
            ("grün", "'grün'"),
            ("a\\b", "'a\\b'"),
            ("~", "'~'"),
        ] {
            assert_eq!(quote(text), quoted);
        }
    }

    #[test]
    fn what_can_not_be_seen_is_written_out() {
        for (text, quoted) in [
            ("a\nb", r#""$(printf 'a\nb')""#),
            ("it's\ta\\b 5%!", r#""$(printf 'it\047s\ta\\b 5%%\041')""#),
            ("-\u{202e}b", r#""$(printf '\055\342\200\256b')""#),
            ("\u{feff}x", r#""$(printf '\357\273\277x')""#),
            ("\u{1b}[31m", r#""$(printf '\033[31m')""#),
            ("\u{e0041}", r#""$(printf '\363\240\201\201')""#),
        ] {
            assert_eq!(quote(text), quoted);
            assert!(!quote(text).chars().any(is_unseen));
        }
    }
}
