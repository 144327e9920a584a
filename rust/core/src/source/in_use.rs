//! Whether the kernel has a file in use as a loop device's backing file.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

/// The loop device over `path`, as `/dev/loopN`, out of the kernel's list in `sys_block`
/// (normally `/sys/block`). The same file under another name counts; a list that cannot be
/// read is empty.
pub(super) fn loop_device_over(path: &Path, sys_block: &Path) -> Option<String> {
    let file = fs::metadata(path).ok()?;
    let mut loops: Vec<_> = fs::read_dir(sys_block).ok()?.flatten().collect();
    loops.sort_by_key(fs::DirEntry::file_name);
    loops.into_iter().find_map(|entry| {
        let backing = fs::read_to_string(entry.path().join("loop/backing_file")).ok()?;
        let backing = fs::metadata(backing.trim_end_matches('\n')).ok()?;
        let is_same = (backing.dev(), backing.ino()) == (file.dev(), file.ino());
        is_same.then(|| format!("/dev/{}", entry.file_name().to_string_lossy()))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_the_file_under_any_name() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("metadata");
        fs::write(&file, b"x").unwrap();
        let link = folder.path().join("other-name");
        fs::hard_link(&file, &link).unwrap();
        let sys = folder.path().join("sys");
        fs::create_dir_all(sys.join("loop7/loop")).unwrap();
        fs::create_dir_all(sys.join("sda")).unwrap();
        let list = sys.join("loop7/loop/backing_file");
        fs::write(list, format!("{}\n", file.display())).unwrap();

        assert_eq!(loop_device_over(&link, &sys).as_deref(), Some("/dev/loop7"));
        let unused = folder.path().join("unused");
        fs::write(&unused, b"x").unwrap();
        assert_eq!(loop_device_over(&unused, &sys), None);
        assert_eq!(loop_device_over(&file, &folder.path().join("absent")), None);
    }
}
