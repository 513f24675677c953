//! The small pure parts: globs and suggestions.

use super::super::glob::matches;
use super::super::suggest::closest;

#[test]
fn globs_are_pythons() {
    let yes = [
        ("*.conf", "a.conf"),
        ("*", ""),
        ("a*b*c", "aXXbYYc"),
        ("?", "ä"),
        ("[a-c]x", "bx"),
        ("[!a-c]x", "dx"),
        ("[]]", "]"),
        ("[!]]", "x"),
        ("[", "["),
        ("a[", "a["),
        ("[a-]", "-"),
        ("**", "abc"),
        ("*a", "aaaa"),
    ];
    let no = [
        ("*.conf", "a.conf2"),
        ("?", ""),
        ("[a-c]x", "dx"),
        ("[!a]", "a"),
        ("a", "ab"),
        ("", "a"),
        ("*b", "aaaa"),
    ];
    for (pattern, name) in yes {
        assert!(matches(pattern, name), "{pattern} should match {name}");
    }
    for (pattern, name) in no {
        assert!(!matches(pattern, name), "{pattern} should not match {name}");
    }
}

#[test]
fn near_keys_are_suggested() {
    let known = ["webhook_url", "token", "token_file", "channel", "api_url", "slow_after"];
    let meant = |word| closest(word, &known);
    assert_eq!(meant("chanel"), Some("channel"));
    assert_eq!(meant("cahnnel"), Some("channel"));
    assert_eq!(meant("webhook-url"), Some("webhook_url"));
    assert_eq!(meant("Token"), Some("token"));
    assert_eq!(meant("webhook"), Some("webhook_url"));
    assert_eq!(meant("tokenfile"), Some("token_file"));
    assert_eq!(meant("colour"), None);
    assert_eq!(meant("x"), None);
}
