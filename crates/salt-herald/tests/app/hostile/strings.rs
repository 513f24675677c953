//! Strings of people who mean harm, made of parts by chance: as many as are wanted, no two alike.
//!
//! Each begins with a word by which it is found again wherever it went. What would happen if one of
//! them were taken for more than text is the judges' matter.

use std::collections::BTreeSet;

use salt_event::Value;

use crate::chance::Chance;

/// What stands at the beginning of a line that nobody but us may begin.
pub(crate) const INJECTED: &str = "INJECTED";

/// What does something somewhere: in Slack's markup, in a terminal, in a text that machines read.
#[rustfmt::skip]
const PARTS: &[&str] = &[
    // Slack: mentions, links, dates, entities.
    "<!channel>", "<!here|here>", "<!everyone>", "<!subteam^S1|ops>", "<!date^1^{date}|x>", "<@U1>",
    "<@U1|bob>", "<#C1|ops>", "<https://evil.example|https://good.example>", "<javascript:x|y>",
    "<mailto:a@b.example|x>", "https://evil.example/", "a@b.example", "@channel", "@here", "<",
    ">", "<!", "|", "&lt;!here&gt;", "&amp;lt;!here&amp;gt;", "&#60;!here&#62;", "&", "\\u003c!here>",
    // Its formatting.
    "```", "\n```\nrm -rf /\n```\n", "`", "``", "*bold*", "_it_", "~no~", "> quote", "\n> quote",
    ":x:", ":white_check_mark:", ":skin-tone-2:", "• ", "\n- ", "\n1. ",
    // JSON and YAML.
    "\"}],\"blocks\":[", "{\"type\":\"user\",\"user_id\":\"U1\"}", "'\"\\", "\\", "\n  - x: y", "# ", "%YAML",
    // Shells and templates.
    "${x}", "$(reboot)", "`reboot`", "; reboot #", "{{ pillar }}", "{% raw %}", "-rf", "--config=/etc/shadow",
    // The order of what is read.
    "\u{202e}gnp.exe", "\u{202a}\u{202b}\u{202c}\u{202d}", "\u{2066}\u{2067}\u{2068}\u{2069}",
    "\u{200e}\u{200f}\u{61c}",
    // What nobody sees.
    "\u{200b}", "\u{200c}\u{200d}", "\u{2060}\u{feff}", "\u{ad}", "\u{34f}", "\u{180e}", "\u{2028}",
    "\u{2029}", "\u{e0041}\u{e007f}", "\u{e0101}\u{e01ef}", "\u{fe01}\u{fe0e}", "\u{115f}\u{3164}\u{ffa0}",
    "\u{1d173}\u{1d17a}", "\u{1bca0}", "\u{fff9}a\u{fffa}b\u{fffb}", "\u{180b}\u{180f}", "\u{fff0}",
    // Terminals: colours, titles, links, questions that are answered into the shell, 8-bit forms.
    "\x1b[31mred\x1b[0m", "\x1b]0;title\x07", "\x1b]8;;https://evil.example\x1b\\here\x1b]8;;\x1b\\",
    "\x1b[2J\x1b[H", "\x1b[6n", "\x1bP$q\x1b\\", "\x1b]52;c;cm0gLXJm\x07", "\u{9b}31m", "\u{9d}0;x\u{9c}",
    "\x08\x08\x08", "\x07", "\x7f", "\u{85}", "\0", "\x0b\x0c", "\x0e", "\r", "\r\n", "\t", "\x1bc",
    // Lines of our own: a run that never was, a metric, a journal's field.
    "\nINJECTED 14:02 root salt '*' test.ping", "\rINJECTED", "\n✓ salt '*' state.apply",
    "\nINJECTED_total{x=\"y\"} 1", "\"} 1\nINJECTED{x=\"", "\u{2028}INJECTED", "\u{85}INJECTED",
    "\nMESSAGE=INJECTED", "\n\n",
    // Sizes and blanks.
    "", " ", "\u{a0}", "\u{3000}", "🧂", "日本", "ü", "e\u{301}\u{302}\u{303}", "ﷺ",
];

/// How parts are put together.
const FORMS: u64 = 6;

/// So many of them, no two alike.
pub(crate) fn hostile(seed: u64, count: usize) -> Vec<String> {
    let mut chance = Chance::of(seed);
    let mut known = BTreeSet::new();
    let mut all = Vec::new();
    while all.len() < count {
        let body = one(&mut chance);
        if known.insert(body.clone()) {
            all.push(format!("{}{body}", word(all.len())));
        }
    }
    all
}

/// The word by which a string is found again. No redaction takes it for a secret.
pub(crate) fn word(number: usize) -> String {
    let letter = |n: usize| char::from(b'a' + (n % 26) as u8);
    let letters: String = [number / 676, number / 26, number].map(letter).iter().collect();
    format!("evil{letters}")
}

fn one(chance: &mut Chance) -> String {
    let parts: Vec<&str> = (0..=chance.below(5)).map(|_| chance.one_of(PARTS)).collect();
    match chance.below(FORMS) {
        0 => parts.concat(),
        1 => format!(" {} ", parts.join(" ")),
        2 => parts.join(&chance.one_of(PARTS).repeat(3)),
        // Long, but short enough to come through where ids are bounded.
        3 => parts.concat().repeat(3 + chance.index(5)),
        4 => format!("/{}/{}", parts.join("/"), chance.next()),
        // Longer than any field of a message.
        _ if chance.happens(10) => parts.concat().repeat(400),
        _ => {
            let any = (0..20).filter_map(|_| char::from_u32(chance.below(0x3_0000) as u32));
            format!("{}{}", parts.concat(), any.collect::<String>())
        }
    }
}

/// A string as a minion would send it that does not care for UTF-8: surrogates by themselves, bytes
/// that begin nothing, characters cut off.
pub(crate) fn broken(chance: &mut Chance, text: &str) -> Value<'static> {
    let odd: &[&[u8]] =
        &[b"\xed\xa0\x80\xed\xb0\x80", b"\xff\xfe", b"\xc0\xbc!channel>", b"\xe2\x80"];
    let mut bytes = text.as_bytes().to_vec();
    bytes.extend_from_slice(chance.one_of(odd));
    Value::Bytes(bytes.into())
}

#[test]
fn two_thousand_are_two_thousand() {
    let all = hostile(1, 2_000);
    let without_words: BTreeSet<&str> = all.iter().map(|text| &text[7..]).collect();
    assert_eq!(without_words.len(), 2_000);
    assert_eq!(all, hostile(1, 2_000), "the same seed, the same strings");
    for part in PARTS {
        let used = all.iter().filter(|text| text.contains(part)).count();
        assert!(used >= 10, "{part:?} is in {used} of them");
    }
}
