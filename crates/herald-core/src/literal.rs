//! Text that nobody can make anything else of: what people and minions wrote, shown as it is.
//!
//! Pure. It makes characters visible that can't be seen or that would act on a terminal; it does not
//! cut, and it does not escape for any chat.

/// The text in one line, with every unseen character as an escape (`\u{1b}`, `\n`).
pub fn line(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    text.chars().for_each(|c| push(&mut out, c));
    out
}

/// The text in its lines: breaks stay, tabs become spaces, and all else that is unseen an escape.
pub fn lines(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut characters = text.chars().peekable();
    while let Some(c) = characters.next() {
        match c {
            '\n' => out.push('\n'),
            '\r' if characters.peek() == Some(&'\n') => {}
            '\t' => out.push_str("    "),
            c => push(&mut out, c),
        }
    }
    out
}

fn push(out: &mut String, c: char) {
    if is_unseen(c) {
        out.extend(c.escape_default());
    } else {
        out.push(c);
    }
}

/// Whether a character can't be seen where it stands, or changes how its neighbours are seen: controls,
/// separators of lines and paragraphs, marks of direction, and all that Unicode lets a font pass over
/// (`Default_Ignorable_Code_Point`). One of those is left, U+FE0F: it makes an emoji of what stands
/// before it, as many people write.
pub fn is_unseen(character: char) -> bool {
    character.is_control()
        || matches!(character,
            '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}'
            | '\u{180b}'..='\u{180f}'
            // Zero-width characters, marks of direction, separators of lines and paragraphs.
            | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}'
            | '\u{3164}' | '\u{feff}' | '\u{ffa0}' | '\u{fff0}'..='\u{fffb}'
            // Controls of shorthand and of music.
            | '\u{1bca0}'..='\u{1bca3}' | '\u{1d173}'..='\u{1d17a}'
            // Tags and variation selectors can carry whole texts that nobody sees.
            | '\u{fe00}'..='\u{fe0e}' | '\u{e0000}'..='\u{e0fff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_acts_on_a_terminal() {
        let hostile = "a\u{1b}]0;x\u{7}\u{9b}31m\u{202e}b\r\n\tc\rd";
        assert_eq!(line(hostile), r"a\u{1b}]0;x\u{7}\u{9b}31m\u{202e}b\r\n\tc\rd");
        assert_eq!(lines(hostile), "a\\u{1b}]0;x\\u{7}\\u{9b}31m\\u{202e}b\n    c\\rd");
        assert_eq!(line("ü 日本 🧂 'x'"), "ü 日本 🧂 'x'");
    }

    #[test]
    fn an_emoji_stays_and_what_hides_a_text_behind_it_does_not() {
        assert_eq!(line("⚠\u{fe0f} x\u{fe01}\u{e0100}"), "⚠\u{fe0f} x\\u{fe01}\\u{e0100}");
        assert_eq!(line("\u{1d173}\u{180b}\u{1bca0}"), "\\u{1d173}\\u{180b}\\u{1bca0}");
    }
}
