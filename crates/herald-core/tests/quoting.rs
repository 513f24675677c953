//! Quoted words, read back by real shells. Those that are not there are skipped.

use std::process::Command;

use herald_core::quote::{is_unseen, quote, without_backticks};

const PIECES: [&str; 24] = [
    "a",
    "B7",
    " ",
    "'",
    "\"",
    "\\",
    "$",
    "`",
    "\n",
    "\t",
    "\r",
    "\u{1b}",
    "\u{202e}",
    "\u{200b}",
    "\u{feff}",
    "é",
    "日",
    "*",
    "[x]",
    "!",
    ";",
    "\u{7f}",
    "\u{85}",
    "\u{e0041}",
];

/// A few hundred texts, the same at every run.
fn texts() -> Vec<String> {
    let mut state = 88_172_645_463_325_252_u64;
    let mut next = move || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        usize::try_from(state % 1_000).unwrap_or(0)
    };
    let mut texts: Vec<String> = PIECES.iter().map(ToString::to_string).collect();
    for _ in 0..400 {
        texts.push(
            (0..next() % 9)
                .map(|_| PIECES.get(next() % PIECES.len()).copied().unwrap_or_default())
                .collect(),
        );
    }
    texts
}

#[test]
fn shells_read_what_was_meant() {
    let mut texts = texts();
    // What ends with a line end takes more than one word.
    texts.retain(|text| !text.ends_with('\n'));
    let words: Vec<_> = texts.iter().map(|text| quote(text)).collect();
    for word in &words {
        assert!(!word.chars().any(is_unseen), "{word:?}");
    }
    let joined = words.join(" ");
    let bare = without_backticks(&joined);
    assert!(joined.contains('`') && !bare.contains('`'));
    let shells = ["sh", "dash", "bash"];
    let ways = [("C", &*joined), ("C.UTF-8", &joined), ("C.UTF-8", &bare)];
    for (shell, (locale, line)) in shells.iter().flat_map(|sh| ways.map(|way| (sh, way))) {
        let script = format!("printf '%s\0' {line}");
        let output = Command::new(shell).args(["-c", &script]).env("LC_ALL", locale).output();
        let Ok(output) = output else { continue };
        let mut read: Vec<&[u8]> = output.stdout.split(|byte| *byte == 0).collect();
        read.pop();
        let meant: Vec<&[u8]> = texts.iter().map(String::as_bytes).collect();
        assert_eq!(read, meant, "{shell} {locale}");
    }
}
