//! Text that nobody can make anything else of: what people and minions wrote, shown as it is.
//!
//! Pure. It knows nothing of blocks or messages, and it does not decide how much may be said: it
//! makes characters that can't be seen visible, cuts, and escapes for the fields that Slack parses.

use herald_core::literal::is_unseen;

/// What stands where text was left out.
const CUT: char = '…';
/// The longest line in a text of several lines; more of one line is a blob, not something to read.
const LONGEST_LINE: usize = 400;

/// What becomes of line breaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Lines {
    /// Everything stands in one line: a line break is shown as `\n`.
    One,
    /// Line breaks stay, tabs become spaces, and overlong lines are cut.
    Many,
    /// The same, where nothing but the text itself could tell its lines from ours: each begins with a
    /// bar.
    Quoted,
}

/// What stands before each line that is somebody else's.
const BAR: &str = "│ ";

/// The text as it may stand where Slack takes text literally (a `rich_text` element).
///
/// Characters that can't be seen, or that change the order in which others are seen, become visible
/// escapes (`\u{202e}`), so that nobody is shown another command than the one that ran. At most
/// `limit` [units](length) come out, with `…` where something was cut.
pub(super) fn literal(text: &str, lines: Lines, limit: usize) -> String {
    cut(text, lines, limit, false)
}

/// The same for the fields that Slack parses: `text` and text objects.
///
/// `&`, `<` and `>` are all that can start a mention or a link there as long as `parse` is `none`,
/// `link_names` is off and `mrkdwn` is off, and they are all that has an escape. The limit is that
/// of the escaped text, and no escape is cut in half.
pub(super) fn escaped(text: &str, lines: Lines, limit: usize) -> String {
    cut(text, lines, limit, true)
}

fn cut(text: &str, lines: Lines, limit: usize, escape: bool) -> String {
    let mut out = Cutter::new(limit, lines);
    if !out.full {
        out.push_all(out.bar.chars());
    }
    let mut characters = text.chars().peekable();
    while let Some(character) = characters.next() {
        if out.full {
            break;
        }
        match (character, lines) {
            ('\n', Lines::Many | Lines::Quoted) => out.break_line(),
            ('\r', Lines::Many | Lines::Quoted) if characters.peek() == Some(&'\n') => {}
            ('\t', Lines::Many | Lines::Quoted) => out.push_all("    ".chars()),
            ('&', _) if escape => out.push_all("&amp;".chars()),
            ('<', _) if escape => out.push_all("&lt;".chars()),
            ('>', _) if escape => out.push_all("&gt;".chars()),
            (character, _) if is_unseen(character) => out.push_all(character.escape_default()),
            (character, _) => out.push_all(std::iter::once(character)),
        }
    }
    out.text
}

/// The length of a text as the strictest reading of Slack's limits counts it: in UTF-16 units,
/// because Slack does not say what it means by a character.
pub(super) fn length(text: &str) -> usize {
    text.chars().map(char::len_utf16).sum()
}

/// Collects characters up to a limit.
struct Cutter {
    text: String,
    /// Units that are still free, with one kept for the mark of a cut.
    free: usize,
    full: bool,
    /// Units that are still free in the current line.
    line_free: usize,
    line_full: bool,
    longest_line: usize,
    bar: &'static str,
}

impl Cutter {
    fn new(limit: usize, lines: Lines) -> Self {
        let longest_line = match lines {
            Lines::One => usize::MAX,
            Lines::Many | Lines::Quoted => LONGEST_LINE,
        };
        let bar = if lines == Lines::Quoted { BAR } else { "" };
        Self {
            text: String::new(),
            free: limit.saturating_sub(1),
            full: limit == 0,
            line_free: longest_line,
            line_full: false,
            longest_line,
            bar,
        }
    }

    /// Adds all of them or, when there is no room, the mark: half an escape would be misread.
    fn push_all(&mut self, characters: impl Iterator<Item = char> + Clone) {
        if self.line_full {
            return;
        }
        let units: usize = characters.clone().map(char::len_utf16).sum();
        if units > self.free {
            self.text.push(CUT);
            self.full = true;
        } else if units > self.line_free {
            self.text.push(CUT);
            self.free -= 1;
            self.line_full = true;
        } else {
            self.text.extend(characters);
            self.free -= units;
            self.line_free -= units;
        }
    }

    fn break_line(&mut self) {
        self.line_full = false;
        self.line_free = self.longest_line;
        self.push_all(std::iter::once('\n').chain(self.bar.chars()));
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn shows_what_can_not_be_seen() {
        let text = "salt\u{202e} web\0\u{200b}\n\u{e0041}\u{2028}\t\u{1b}[31m";
        assert_eq!(
            literal(text, Lines::One, 200),
            r"salt\u{202e} web\u{0}\u{200b}\n\u{e0041}\u{2028}\t\u{1b}[31m"
        );
    }

    #[test]
    fn keeps_lines_where_lines_belong() {
        assert_eq!(literal("a\r\n\tb\rc\n", Lines::Many, 200), "a\n    b\\rc\n");
        let long = format!("{}\nnext", "x".repeat(5_000));
        let shown = literal(&long, Lines::Many, 3_000);
        assert_eq!(shown, format!("{}…\nnext", "x".repeat(LONGEST_LINE)));
    }

    #[test]
    fn lines_of_others_are_told_from_ours() {
        assert_eq!(escaped("a\n<b\n", Lines::Quoted, 99), "│ a\n│ &lt;b\n│ ");
        assert_eq!(escaped("ab\ncd", Lines::Quoted, 6), "│ ab…");
    }

    #[test]
    fn leaves_ordinary_text_as_it_is() {
        let text = "salt -G 'roles:web' cmd.run 'echo `id` > /tmp/ü && *_~' 🧂 日本";
        assert_eq!(literal(text, Lines::One, 200), text);
    }

    #[test]
    fn escapes_what_slack_parses() {
        assert_eq!(
            escaped("<!channel> & <@U1>", Lines::One, 99),
            "&lt;!channel&gt; &amp; &lt;@U1&gt;"
        );
        assert_eq!(escaped("ab<c", Lines::One, 6), "ab…");
        assert_eq!(escaped("ab<c", Lines::One, 0), "");
    }

    proptest! {
        #[test]
        fn never_longer_than_allowed(text in ".{0,600}", limit in 0usize..500) {
            for lines in [Lines::One, Lines::Many, Lines::Quoted] {
                for shown in [literal(&text, lines, limit), escaped(&text, lines, limit)] {
                    prop_assert!(length(&shown) <= limit);
                    let seen = shown.chars().all(|c| c == '\n' || !is_unseen(c));
                    prop_assert!(seen);
                    prop_assert!(lines != Lines::One || !shown.contains('\n'));
                    let quoted = shown.split('\n').all(|line| line.starts_with(BAR));
                    prop_assert!(lines != Lines::Quoted || limit < 4 || quoted);
                }
                let safe = escaped(&text, lines, limit);
                prop_assert!(!safe.contains(['<', '>']));
            }
        }
    }
}
