//! Amounts of bytes in words, as people read them.
//!
//! Times and spans are not here: they stand beside the texts that tell of runs.

/// The units, each 1024 times the one before.
const UNITS: &[&str] = &["bytes", "KiB", "MiB", "GiB", "TiB"];

/// `312 bytes`, `4.2 MiB`, `118 GiB`.
pub fn bytes_text(bytes: u64) -> String {
    let mut unit = 0;
    let mut tenths = u128::from(bytes) * 10;
    // What would be rounded to 1024 of a unit is one of the next.
    while unit + 1 < UNITS.len() && tenths >= 10_235 {
        tenths = (tenths + 512) / 1024;
        unit += 1;
    }
    let name = UNITS.get(unit).copied().unwrap_or_default();
    if unit == 0 || tenths >= 1_000 {
        format!("{} {name}", (tenths + 5) / 10)
    } else {
        format!("{}.{} {name}", tenths / 10, tenths % 10)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_told_in_the_unit_that_people_would_take() {
        let told = [0, 1_000, 1_023, 1_024, 4_404_019, 126_701_535_232, u64::MAX].map(bytes_text);
        let wanted = [
            "0 bytes",
            "1000 bytes",
            "1023 bytes",
            "1.0 KiB",
            "4.2 MiB",
            "118 GiB",
            "16777216 TiB",
        ];
        assert_eq!(told, wanted);
    }
}
