//! Both environments must answer alike.

use std::io::{ErrorKind, Write};
use std::path::Path;

use super::*;

/// Runs `check` over a fresh environment of either kind.
fn on_both(check: impl Fn(&dyn Env)) {
    check(&MemEnv::default());
    let folder = tempfile::tempdir().unwrap();
    check(&RealEnv::new(folder.path().join("not/there/yet/db")));
}

fn put(env: &dyn Env, path: &str, content: &[u8]) {
    let mut writer = env.create(Path::new(path)).unwrap();
    writer.write_all(content).unwrap();
    writer.sync_data().unwrap();
    assert_eq!(writer.len(), content.len() as u64);
}

fn kind<T>(result: io::Result<T>) -> ErrorKind {
    result.err().unwrap().kind()
}

#[test]
fn files_are_created_once_and_read_back() {
    on_both(|env| {
        env.create_root().unwrap();
        env.create_root().unwrap();
        assert!(env.exists(Path::new("")));
        assert_eq!(kind(env.create(Path::new("a/b/file"))), ErrorKind::NotFound);
        env.create_dir_all(Path::new("a/b")).unwrap();
        env.create_dir_all(Path::new("a/b")).unwrap();
        put(env, "a/b/file", b"0123456789");
        assert_eq!(
            kind(env.create(Path::new("a/b/file"))),
            ErrorKind::AlreadyExists
        );
        assert_eq!(env.read(Path::new("./a/b/file")).unwrap(), b"0123456789");
        let reader = env.open(Path::new("a/b/file")).unwrap();
        assert_eq!(reader.len(), 10);
        assert_eq!(&reader.read_at(3, 4).unwrap()[..], b"3456");
        assert_eq!(&reader.read_at(10, 0).unwrap()[..], b"");
        assert_eq!(kind(reader.read_at(8, 3)), ErrorKind::UnexpectedEof);
        assert_eq!(kind(reader.read_at(u64::MAX, 3)), ErrorKind::UnexpectedEof);
        env.sync_dir(Path::new("a/b")).unwrap();
        env.remove_file(Path::new("a/b/file")).unwrap();
        assert_eq!(&reader.read_at(0, 2).unwrap()[..], b"01");
        assert_eq!(kind(env.open(Path::new("a/b/file"))), ErrorKind::NotFound);
        assert_eq!(
            kind(env.remove_file(Path::new("a/b/file"))),
            ErrorKind::NotFound
        );
    });
}

#[test]
fn folders_are_listed_renamed_and_removed() {
    on_both(|env| {
        env.create_dir_all(Path::new("tmp/x/text")).unwrap();
        env.create_dir_all(Path::new("seg")).unwrap();
        put(env, "tmp/x/spans", b"s");
        put(env, "tmp/x/text/t", b"t");
        put(env, "tmp/xy", b"other");
        assert_eq!(env.list(Path::new("tmp/x")).unwrap(), ["spans", "text"]);
        env.rename(Path::new("tmp/x"), Path::new("seg/x")).unwrap();
        assert_eq!(env.list(Path::new("tmp")).unwrap(), ["xy"]);
        assert_eq!(env.read(Path::new("seg/x/text/t")).unwrap(), b"t");
        env.create_dir_all(Path::new("tmp/z")).unwrap();
        assert_eq!(
            kind(env.rename(Path::new("tmp/z"), Path::new("seg/x"))),
            ErrorKind::DirectoryNotEmpty
        );
        assert_eq!(
            kind(env.rename(Path::new("tmp/none"), Path::new("seg/y"))),
            ErrorKind::NotFound
        );
        env.rename(Path::new("tmp/xy"), Path::new("seg/x/spans"))
            .unwrap();
        assert_eq!(env.read(Path::new("seg/x/spans")).unwrap(), b"other");
        env.remove_dir_all(Path::new("seg/x")).unwrap();
        assert!(!env.exists(Path::new("seg/x/spans")));
        assert!(env.exists(Path::new("seg")));
        assert_eq!(kind(env.list(Path::new("seg/x"))), ErrorKind::NotFound);
        assert_eq!(kind(env.open(Path::new("seg"))), ErrorKind::InvalidInput);
    });
}

#[test]
fn paths_stay_below_the_root() {
    on_both(|env| {
        for path in ["../x", "a/../../x", "/etc/passwd"] {
            assert_eq!(kind(env.read(Path::new(path))), ErrorKind::InvalidInput);
            assert_eq!(kind(env.create(Path::new(path))), ErrorKind::InvalidInput);
            assert!(!env.exists(Path::new(path)));
        }
    });
}

#[test]
fn the_lock_of_the_root_holds_without_its_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("db");
    let (env, other) = (RealEnv::new(path.clone()), RealEnv::new(path));
    env.create_root().unwrap();
    let held = env.lock_root("first").unwrap();
    for file_there in [true, false] {
        let refused = other.lock_root("second").err().unwrap();
        assert_eq!(refused.kind(), ErrorKind::WouldBlock);
        assert!(
            !file_there || refused.to_string().contains("first"),
            "{refused}"
        );
        other.remove_file(Path::new("LOCK")).unwrap();
        put(&other, "LOCK", b"");
    }
    drop(held);
    drop(other.lock_root("second").unwrap());
}

#[test]
fn a_lock_is_exclusive_and_names_its_holder() {
    on_both(|env| {
        env.create_dir_all(Path::new("")).unwrap();
        let held = env.lock(Path::new("LOCK"), "first program").unwrap();
        let refused = env.lock(Path::new("LOCK"), "second program").err().unwrap();
        assert_eq!(refused.kind(), ErrorKind::WouldBlock);
        let message = refused.to_string();
        assert!(message.contains("first program"), "{message}");
        assert!(
            message.contains(&format!("pid {}", std::process::id())),
            "{message}"
        );
        drop(held);
        drop(env.lock(Path::new("LOCK"), "second program").unwrap());
        let text = String::from_utf8(env.read(Path::new("LOCK")).unwrap()).unwrap();
        assert!(
            text.contains("second program") && !text.contains("first"),
            "{text}"
        );
    });
}

#[test]
fn real_files_are_private_and_symlinks_are_refused() {
    use std::os::unix::fs::{PermissionsExt, symlink};
    let folder = tempfile::tempdir().unwrap();
    let env = RealEnv::new(folder.path().join("db"));
    env.create_dir_all(Path::new("wal")).unwrap();
    put(&env, "wal/file", b"x");
    let mode = |path: &str| {
        let full = env.folder(Path::new("")).unwrap().path().join(path);
        std::fs::metadata(full).unwrap().permissions().mode() & 0o777
    };
    assert_eq!(
        (mode(""), mode("wal"), mode("wal/file")),
        (0o700, 0o700, 0o600)
    );
    symlink(
        folder.path().join("db/wal/file"),
        folder.path().join("db/link"),
    )
    .unwrap();
    assert_eq!(kind(env.open(Path::new("link"))), ErrorKind::InvalidInput);
    assert_eq!(kind(env.read(Path::new("link"))), ErrorKind::InvalidInput);
    assert_eq!(
        kind(env.lock(Path::new("link"), "x")),
        ErrorKind::InvalidInput
    );
    assert_eq!(
        kind(env.create(Path::new("link"))),
        ErrorKind::AlreadyExists
    );
    symlink(folder.path().join("db/wal"), folder.path().join("db/seg")).unwrap();
    for path in ["seg", "seg/file"] {
        assert_eq!(
            kind(env.create_dir_all(Path::new(path))),
            ErrorKind::InvalidInput,
            "{path}"
        );
    }
    assert_eq!(
        kind(env.open(Path::new("seg/file"))),
        ErrorKind::InvalidInput
    );
    assert_eq!(
        kind(env.create(Path::new("seg/new"))),
        ErrorKind::InvalidInput
    );
    assert_eq!(kind(env.list(Path::new("seg"))), ErrorKind::InvalidInput);
    assert_eq!(
        kind(env.remove_dir_all(Path::new("seg"))),
        ErrorKind::InvalidInput
    );
    assert!(env.folder(Path::new("seg")).is_none());
}

#[test]
fn a_renamed_root_is_still_the_root() {
    let folder = tempfile::tempdir().unwrap();
    let (path, moved) = (folder.path().join("db"), folder.path().join("moved"));
    let env = RealEnv::new(path.clone());
    assert_eq!(kind(env.list(Path::new(""))), ErrorKind::NotFound);
    env.create_root().unwrap();
    env.create_dir_all(Path::new("wal")).unwrap();
    let held = env.folder(Path::new("wal")).unwrap();
    assert!(held.is_held());
    std::fs::rename(&path, &moved).unwrap();
    let other = RealEnv::new(path);
    other.create_dir_all(Path::new("wal")).unwrap();
    put(&env, "wal/file", b"x");
    std::fs::create_dir(held.join("below").path()).unwrap();
    assert_eq!(env.list(Path::new("wal")).unwrap(), ["below", "file"]);
    assert_eq!(std::fs::read_dir(moved.join("wal")).unwrap().count(), 2);
    assert_eq!(other.list(Path::new("wal")).unwrap(), Vec::<String>::new());
    env.rename(Path::new("wal/file"), Path::new("wal/below/file"))
        .unwrap();
    env.remove_dir_all(Path::new("wal")).unwrap();
    assert!(!env.exists(Path::new("wal")) && other.exists(Path::new("wal")));
}

#[test]
fn what_is_synced_after_it_was_removed_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let env = RealEnv::new(folder.path().join("db"));
    env.create_root().unwrap();
    let mut writer = env.create(Path::new("file")).unwrap();
    writer.write_all(b"x").unwrap();
    writer.sync_data().unwrap();
    std::fs::remove_dir_all(folder.path().join("db")).unwrap();
    writer.write_all(b"y").unwrap();
    assert_eq!(kind(writer.sync_data()), ErrorKind::NotFound);
    let error = env.read(Path::new("file")).unwrap_err();
    assert!(
        error.to_string().contains("removed while it was open"),
        "{error}"
    );
}

#[test]
fn a_scratch_file_has_no_name() {
    let folder = tempfile::tempdir().unwrap();
    let env = RealEnv::new(folder.path().join("db"));
    env.create_dir_all(Path::new("tmp")).unwrap();
    let file = env.scratch_file(Path::new("tmp")).unwrap();
    assert_eq!(env.list(Path::new("tmp")).unwrap(), Vec::<String>::new());
    file.append(b"0123").unwrap();
    file.append(b"456789").unwrap();
    assert_eq!(
        (file.len(), &file.read_at(3, 4).unwrap()[..]),
        (10, &b"3456"[..])
    );
    assert_eq!(&file.read_at(8, 4).unwrap()[..], b"89");
    assert!(file.read_at(10, 4).unwrap().is_empty());
    assert_eq!(
        kind(MemEnv::default().scratch_file(Path::new("tmp"))),
        ErrorKind::Unsupported
    );
}
