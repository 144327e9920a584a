//! Reads a dump in XML back: every mapping of every device, references followed.

use std::collections::BTreeMap;

/// Runs of a device as a dump writes them: virtual block, data block, length, time.
pub(super) type Line = (u64, u64, u64, u64);

/// A device as a dump tells it.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Dumped {
    pub(super) mapped_blocks: u64,
    pub(super) lines: Vec<Line>,
}

/// Reads a dump.
///
/// # Panics
///
/// Where it is not written as a dump is: a reference to what comes later, a line of another kind.
pub(super) fn parse(text: &str) -> BTreeMap<u64, Dumped> {
    let mut devices = BTreeMap::new();
    let mut definitions = BTreeMap::new();
    let mut open = Dumped::default();
    let mut id = 0;
    for line in text.lines() {
        let line = line.trim_start();
        let numbers: Vec<u64> =
            line.split('"').skip(1).step_by(2).map(|word| word.parse().unwrap_or(0)).collect();
        match (line.split([' ', '>']).next().unwrap_or_default(), &*numbers) {
            ("<superblock" | "</superblock", _) => {}
            ("<def" | "<device", _) => {
                id = numbers[0];
                open =
                    Dumped { mapped_blocks: numbers.get(1).copied().unwrap_or(0), lines: vec![] };
            }
            ("</def", _) => {
                let lines = std::mem::take(&mut open).lines;
                assert!(definitions.insert(id, lines).is_none(), "{id} is defined twice");
            }
            ("</device", _) => {
                assert!(devices.insert(id, std::mem::take(&mut open)).is_none(), "{id} twice");
            }
            ("<ref", [name]) => open.lines.extend(&definitions[name]),
            ("<single_mapping", [key, data, time]) => open.lines.push((*key, *data, 1, *time)),
            ("<range_mapping", [key, data, length, time]) => {
                open.lines.push((*key, *data, *length, *time));
            }
            _ => unreachable!("{line}"),
        }
    }
    devices
}
