//! Stub until merged.
use salt_event::Value;
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Program {
    Salt,
    SaltRun,
    SaltCall,
    SaltSsh,
    Wheel,
}
#[derive(Debug)]
pub struct CommandParts<'a> {
    pub program: Program,
    pub tgt: Option<&'a Value<'a>>,
    pub tgt_type: &'a str,
    pub funs: &'a [String],
    pub arg: &'a Value<'a>,
    pub batch: Option<u32>,
}
pub fn command_line(p: &CommandParts<'_>) -> String {
    format!("salt {:?} {:?}", p.tgt, p.funs)
}
