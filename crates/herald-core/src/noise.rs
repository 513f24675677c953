//! Stub until merged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Namespace {
    Execution,
    Runner,
    Wheel,
}
#[derive(Debug, Clone, Default)]
pub struct SayRules {
    pub say: Vec<String>,
    pub quiet: Vec<String>,
    pub scheduled: bool,
}
impl SayRules {
    pub fn is_said(&self, _n: Namespace, funs: &[String], unattended: bool) -> bool {
        !unattended
            && !funs
                .iter()
                .all(|f| f == "test.ping" || f == "saltutil.find_job")
    }
}
