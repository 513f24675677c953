//! How fast secrets are looked for, beside what the machine can do at most: copying the same bytes, and one
//! search by the `regex` crate for a few of the same words.
//!
//! ```text
//! cargo run --profile bench -p herald-core --example redaction
//! ```
//!
//! Every figure is the best of several rounds in one run; the ratios say more than the numbers.

use std::hint::black_box;
use std::time::Instant;

use herald_core::redact::{Marks, Redactor, Secrets};
use regex::bytes::Regex;

/// How long each text is, in bytes: so short that a round fits into what a busy machine gives at a time.
const LENGTH: usize = 128 << 10;
const ROUNDS: usize = 200;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let redactor = Redactor::new(Marks::new(&[7; 32]));
    let peer = Regex::new("(?i)password|secret|token|api_key|-----BEGIN")?;
    println!("{:24} {:>10} {:>10} {:>10} {:>8}", "MB/s", "copied", "regex", "redacted", "of regex");
    for (name, piece) in texts() {
        let text = piece.repeat(LENGTH / piece.len().max(1));
        let copied = speed(&text, |text| black_box(text.to_owned()).len());
        let searched = speed(&text, |text| peer.find_iter(text.as_bytes()).count());
        let redacted =
            speed(&text, |text| redactor.redact_text(text, &mut Secrets::default()).len());
        let ratio = redacted / searched;
        println!("{name:24} {copied:10.0} {searched:10.0} {redacted:10.0} {ratio:8.2}");
    }
    Ok(())
}

fn texts() -> Vec<(&'static str, String)> {
    let log = "2026-11-22 17:00:01 web1 nginx[123]: 10.0.0.1 GET /index.html 200 1234 0.01\n";
    let state = "          ID: nginx_conf\n    Function: file.managed\n        Name: /etc/nginx/nginx.conf\n      Result: True\n     Comment: File /etc/nginx/nginx.conf is in the correct state\n";
    vec![
        ("clean log", log.to_owned()),
        ("clean state results", state.to_owned()),
        ("a secret in 20 lines", format!("{}password=hunter2x user=bob\n", log.repeat(20))),
        ("a secret in each line", "db_password: hunter2x-correct-horse\n".to_owned()),
        ("names of programs", "mysql -h db1 -e 'select 1' | redis-cli ping\n".to_owned()),
        ("anchors only", "password ".to_owned()),
        ("options without an end", "curl -u ".to_owned()),
        // The slowest that were found: each is read some way from each of its anchors.
        ("hashes without an end", "$1$".to_owned()),
        ("here-strings", "passwd <<< ".to_owned()),
        ("pipes", "echo x | ".to_owned()),
        ("addresses", "a://".to_owned()),
    ]
}

/// Megabytes a second, the best of some rounds.
fn speed(text: &str, mut work: impl FnMut(&str) -> usize) -> f64 {
    let took = (0..ROUNDS).map(|_| {
        let begin = Instant::now();
        black_box(work(black_box(text)));
        begin.elapsed().as_secs_f64()
    });
    text.len() as f64 / took.fold(f64::MAX, f64::min) / 1e6
}
