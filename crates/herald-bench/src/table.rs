//! The figures, in a table, and the machine that they were taken on.

use std::fmt;

/// Rows of a name, a figure and what it is to be seen beside.
#[derive(Debug, Default)]
pub(crate) struct Table {
    rows: Vec<[String; 3]>,
}

impl Table {
    pub(crate) fn row(
        &mut self,
        what: impl Into<String>,
        figure: impl Into<String>,
        beside: impl Into<String>,
    ) {
        let row = [what.into(), figure.into(), beside.into()];
        eprintln!("  {}: {}  {}", row[0], row[1], row[2]);
        self.rows.push(row);
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let width = |column: usize| {
            self.rows
                .iter()
                .filter_map(|row| row.get(column))
                .map(|cell| cell.chars().count())
                .max()
        };
        let (first, second) = (width(0).unwrap_or(0), width(1).unwrap_or(0));
        for [what, figure, beside] in &self.rows {
            writeln!(f, "{what:<first$}  {figure:>second$}  {beside}")?;
        }
        Ok(())
    }
}

/// Cores, processor and memory.
pub(crate) fn machine() -> String {
    let read = |path: &str| std::fs::read_to_string(path).unwrap_or_default();
    let after = |text: &str, key: &str| {
        let line = text.lines().find(|line| line.starts_with(key)).unwrap_or_default();
        line.split_once(':').map(|(_, value)| value.trim().to_owned()).unwrap_or_default()
    };
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    let processor = after(&read("/proc/cpuinfo"), "model name");
    let memory = after(&read("/proc/meminfo"), "MemTotal");
    format!("Machine: {cores} cores, {processor}, {memory}")
}

/// The middle of some figures.
pub(crate) fn median(mut figures: Vec<f64>) -> f64 {
    percentile(&mut figures, 50.0)
}

/// The figure below which so many of a hundred are.
pub(crate) fn percentile(figures: &mut [f64], percent: f64) -> f64 {
    figures.sort_by(f64::total_cmp);
    let place = (percent / 100.0 * (figures.len().saturating_sub(1)) as f64).round() as usize;
    figures.get(place).copied().unwrap_or(f64::NAN)
}
