//! Lists of words in which one is looked up in any case of letters, as often as a text has names and values.
//!
//! Made once from what the rules' tables say. Which words are in them is not its matter.

/// Words with what is known of each.
pub(super) struct Words<T> {
    known: Vec<Vec<(&'static str, T)>>,
}

/// So many places are the words spread over.
const PLACES: usize = 512;

impl<T> Words<T> {
    /// What is said of a word twice is put together.
    pub(super) fn new(
        words: impl IntoIterator<Item = (&'static str, T)>,
        mut join: impl FnMut(&mut T, T),
    ) -> Self {
        let mut known: Vec<Vec<(&'static str, T)>> = Vec::new();
        known.resize_with(PLACES, Vec::new);
        for (word, of) in words.into_iter().filter(|(word, _)| !word.is_empty()) {
            let Some(place) = known.get_mut(place(word.as_bytes())) else { continue };
            match place.iter_mut().find(|(other, _)| other.eq_ignore_ascii_case(word)) {
                Some((_, other)) => join(other, of),
                None => place.push((word, of)),
            }
        }
        Words { known }
    }

    /// What is known of a word.
    pub(super) fn get(&self, word: &[u8]) -> Option<&T> {
        let place = self.known.get(place(word))?;
        let found = place.iter().find(|(known, _)| known.as_bytes().eq_ignore_ascii_case(word))?;
        Some(&found.1)
    }
}

impl Words<()> {
    /// A list, parted by spaces.
    pub(super) fn of_list(list: &'static str) -> Self {
        Self::new(list.split(' ').map(|word| (word, ())), |(), ()| ())
    }

    pub(super) fn has(&self, word: &[u8]) -> bool {
        self.get(word).is_some()
    }
}

/// By the length and three letters: it is not needed that all are apart.
fn place(word: &[u8]) -> usize {
    let letter = |at: usize| usize::from(word.get(at).map_or(0, u8::to_ascii_lowercase));
    let last = letter(word.len().saturating_sub(1));
    (letter(0) * 31 + letter(2) * 7 + last * 131 + word.len() * 17) % PLACES
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_known_in_any_case_and_no_others_are() {
        let words = Words::of_list("md5 never scram-sha-256 ~");
        for word in ["md5", "MD5", "Never", "~", "SCRAM-sha-256"] {
            assert!(words.has(word.as_bytes()), "{word}");
        }
        for word in ["", "md", "md55", "mdx5", "neve", "ever"] {
            assert!(!words.has(word.as_bytes()), "{word}");
        }
    }

    #[test]
    fn what_is_said_twice_is_put_together() {
        let words = Words::new([("a", 1u8), ("b", 2), ("A", 4)], |all, more| *all |= more);
        assert_eq!((words.get(b"a"), words.get(b"B")), (Some(&5), Some(&2)));
    }
}
