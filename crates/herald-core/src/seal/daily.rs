//! What of the checkpoints is said where people read: one a day, and at once what those who keep them should
//! know; into one thread of a channel, which is found again by what its messages carry unseen.
//!
//! Pure: by the checkpoints' own times, so that no clock is asked. Who says it is the publisher.

use jiff::Timestamp;

use super::{Occasion, Seal};
use crate::outbox::Found;

/// The checkpoint that was said last somewhere.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Told {
    /// The entry of which it is.
    pub number: u64,
    /// When it was signed.
    pub at: Timestamp,
}

/// A checkpoint that is to be said, and what happened since the one that was said before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct News {
    /// The latest.
    pub seal: Seal,
    /// It is signed with another key.
    pub is_new_key: bool,
    /// The journal was put back from a backup.
    pub was_put_back: bool,
}

/// What is to be said now. `seals` are the checkpoints from the one on that was said last, in their order.
pub fn to_say(told: Option<Told>, seals: &[Seal]) -> Option<News> {
    let is_after = |seal: &&Seal| told.is_none_or(|told| seal.number > told.number);
    let seal = *seals.last().filter(is_after)?;
    let has = |occasion| seals.iter().filter(is_after).any(|seal| seal.occasion == occasion);
    // After a restore on another machine both are so, and the checkpoint tells of one.
    let differ = seals.windows(2).any(|pair| matches!(pair, [one, other] if one.key != other.key));
    let is_new_key = told.is_some() && (differ || has(Occasion::NewKey));
    let was_put_back = has(Occasion::PutBack);
    let is_due = match told {
        // A clock that was put makes one more at the most, and none too few.
        Some(told) => day(told.at) != day(seal.at) || is_new_key || was_put_back,
        None => true,
    };
    is_due.then_some(News { seal, is_new_key, was_put_back })
}

/// Days since 1970, UTC.
fn day(at: Timestamp) -> i64 {
    at.as_second().div_euclid(86_400)
}

/// Since when the thread may have been begun, where nobody noted that it was: since the last checkpoint
/// before a backup was put back that knows of none, or else since the latest.
pub fn begun_since(seals: &[Seal]) -> Option<Timestamp> {
    let put_back = seals.iter().rposition(|seal| seal.occasion == Occasion::PutBack);
    let seal = match put_back.and_then(|place| place.checked_sub(1)) {
        Some(before) => seals.get(before),
        None => seals.last(),
    };
    seal.map(|seal| seal.at)
}

/// What a message about checkpoints carries, unseen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ThreadLabel {
    /// The journal's own name.
    pub origin: String,
    /// The sink, as its journal calls it.
    pub sink: String,
    /// The checkpoint that it says; none is the message that begins the thread.
    pub told: Option<Told>,
}

/// The message that begins the thread of a journal at a sink, among those that were found: the first one.
pub fn thread_in<'f>(found: &'f [Found<ThreadLabel>], origin: &str, sink: &str) -> Option<&'f str> {
    let is_it = |label: &ThreadLabel| {
        label.told.is_none() && (label.origin.as_str(), label.sink.as_str()) == (origin, sink)
    };
    found.iter().find(|one| is_it(&one.label)).map(|one| one.place.as_str())
}

/// The latest checkpoint that is said among messages that were found.
pub fn last_told(found: &[Found<ThreadLabel>], origin: &str) -> Option<Told> {
    let of_it = found.iter().filter(|one| one.label.origin == origin);
    of_it.filter_map(|one| one.label.told).max_by_key(|told| told.number)
}

#[cfg(test)]
mod tests {
    use super::super::PublicKey;
    use super::*;
    use crate::digest::Digest;

    fn seal(number: u64, at: &str, occasion: Occasion) -> Seal {
        let at = format!("2026-11-{at}:00Z").parse().unwrap();
        let (key, signature) = (PublicKey([1; 32]), [2; 64]);
        Seal { number, hash: Digest::ZERO, at, occasion, key, signature }
    }

    fn told(seal: Seal) -> Option<Told> {
        Some(Told { number: seal.number, at: seal.at })
    }

    fn number(news: Option<News>) -> Option<u64> {
        news.map(|news| news.seal.number)
    }

    #[test]
    fn one_a_day_is_said_and_at_once_what_is_to_be_known() {
        let first = seal(3, "22T14:00", Occasion::First);
        assert_eq!(number(to_say(None, &[])), None);
        assert_eq!(number(to_say(None, &[first])), Some(3));
        let same_day = seal(5, "22T23:59", Occasion::Hour);
        assert_eq!(number(to_say(told(first), &[same_day])), None);
        let next_day = seal(6, "23T00:01", Occasion::Hour);
        assert_eq!(number(to_say(told(first), &[same_day, next_day])), Some(6));
        // Days without a word are one word.
        let later = seal(9, "27T00:01", Occasion::Hour);
        assert_eq!(number(to_say(told(first), &[next_day, later])), Some(9));

        let new_key = seal(7, "23T05:00", Occasion::NewKey);
        let after = seal(8, "23T06:00", Occasion::Hour);
        let news = to_say(told(next_day), &[new_key, after]).unwrap();
        assert!((news.seal, news.is_new_key, news.was_put_back) == (after, true, false));
        let put_back = seal(4, "23T07:00", Occasion::PutBack);
        let news = to_say(told(first), &[first, put_back]).unwrap();
        assert!(news.was_put_back && !news.is_new_key);
        let elsewhere = Seal { key: PublicKey([9; 32]), ..put_back };
        let news = to_say(told(first), &[first, elsewhere]).unwrap();
        assert!(news.was_put_back && news.is_new_key);
        assert_eq!(number(to_say(told(elsewhere), &[elsewhere])), None);
    }

    #[test]
    fn a_clock_that_is_wrong_for_a_while_makes_few_words() {
        let mut last = None;
        let mut said = 0;
        for (number, day) in (1..).zip([22, 22, 29, 29, 22, 22, 23, 23]) {
            let seal = seal(number, &format!("{day}T14:00"), Occasion::Hour);
            if let Some(news) = to_say(last, &[seal]) {
                last = told(news.seal);
                said += 1;
            }
        }
        assert_eq!(said, 4);
    }

    #[test]
    fn a_thread_is_looked_for_since_the_backup() {
        let before = seal(3, "20T14:00", Occasion::Hour);
        let put_back = seal(4, "22T14:00", Occasion::PutBack);
        let after = seal(5, "22T15:00", Occasion::Hour);
        assert_eq!(begun_since(&[]), None);
        assert_eq!(begun_since(&[before, after]), Some(after.at));
        assert_eq!(begun_since(&[before, put_back, after]), Some(before.at));
        assert_eq!(begun_since(&[put_back]), Some(put_back.at));
    }

    #[test]
    fn what_is_found_counts_for_its_journal_only() {
        let found = |place: &str, origin: &str, told| Found {
            place: place.to_owned(),
            label: ThreadLabel { origin: origin.to_owned(), sink: "ops".to_owned(), told },
        };
        let (three, four) =
            (seal(3, "22T14:00", Occasion::Hour), seal(4, "23T14:00", Occasion::Hour));
        let all = [
            found("a", "other", None),
            found("b", "own", told(four)),
            found("c", "own", None),
            found("d", "own", None),
            found("e", "own", told(three)),
            found("f", "other", told(seal(9, "23T14:00", Occasion::Hour))),
        ];
        assert_eq!(thread_in(&all, "own", "ops"), Some("c"));
        assert_eq!(thread_in(&all, "own", "else"), None);
        assert_eq!(last_told(&all, "own"), told(four));
        assert_eq!(last_told(&all, "none"), None);
    }
}
