use super::*;
use crate::session::record_file::RecordFile;
use burn::lr_scheduler::LrSchedulerRecord;
use burn::module::Module;
use burn::nn::LinearConfig;
use burn::optim::AdamConfig;
use burn::store::ModuleRecord;
use burn::tensor::Device;
use burn::train::checkpoint::Checkpointer;

fn state(epoch: usize) -> RunState {
    RunState {
        epoch,
        setup: Setup::default(),
        tricks: vec![1, 2, 3],
        hooks: [("criterion".to_owned(), vec![4])].into(),
        validated: Some(vec![5]),
    }
}

fn checkpointer(files: &RunFiles, name: &'static str) -> RecordFile {
    RecordFile::new(files.clone(), name)
}

fn write_set(files: &RunFiles, epoch: usize) {
    let model = LinearConfig::new(2, 2).init(&Device::flex()).into_record();
    checkpointer(files, "model").save(epoch, model).unwrap();
    let optim = AdamConfig::new().init().to_record();
    checkpointer(files, "optim").save(epoch, optim).unwrap();
    let schedule = LrSchedulerRecord::new().with_scalar("steps", 3u64);
    checkpointer(files, "scheduler")
        .save(epoch, schedule)
        .unwrap();
    files.write(&state(epoch)).unwrap();
}

fn tear(path: &Path) {
    let bytes = std::fs::read(path).unwrap();
    std::fs::write(path, &bytes[..bytes.len() - 1]).unwrap();
}

fn flip(path: &Path) {
    let mut bytes = std::fs::read(path).unwrap();
    *bytes.last_mut().unwrap() ^= 1;
    std::fs::write(path, bytes).unwrap();
}

fn names(files: &RunFiles) -> Vec<String> {
    let entries = std::fs::read_dir(&files.folder).unwrap();
    let name = |entry: std::io::Result<std::fs::DirEntry>| entry.unwrap().file_name();
    let mut names: Vec<_> = entries
        .map(|entry| name(entry).into_string().unwrap())
        .collect();
    names.sort();
    names
}

#[test]
fn the_newest_complete_set_is_found_among_harmed_ones() {
    let directory = tempfile::tempdir().unwrap();
    let files = RunFiles::new(directory.path()).unwrap();
    assert!(files.find().unwrap().newest.is_none());
    for epoch in [1, 2, 9, 10, 11, 12, 13, 14, 15] {
        write_set(&files, epoch);
    }
    let whole = files.find().unwrap();
    assert_eq!(whole.newest, Some(state(15)), "by number, not by name");
    assert_eq!(whole.complete, [1, 2, 9, 10, 11, 12, 13, 14, 15]);

    std::fs::remove_file(files.checksum("scheduler", 15)).unwrap();
    flip(&files.record("optim", 14));
    tear(&files.record("model", 13));
    std::fs::remove_file(files.record("optim", 12)).unwrap();
    tear(&files.state_file(11));
    std::fs::write(files.record("scheduler", 10), b"").unwrap();
    std::fs::write(files.folder.join("notes-2024.txt"), b"not ours").unwrap();
    std::fs::write(files.folder.join(".unfinished-x"), b"").unwrap();
    let found = files.find().unwrap();
    assert_eq!(found.newest, Some(state(9)));
    assert_eq!(found.complete, [1, 2, 9]);
    let incomplete: Vec<_> = found.incomplete.iter().map(|(epoch, _)| *epoch).collect();
    assert_eq!(incomplete, [10, 11, 12, 13, 14, 15]);
    assert!(
        found.incomplete[1]
            .1
            .to_string()
            .contains("tricks-11.state is damaged")
    );
    assert!(
        found.incomplete[4]
            .1
            .to_string()
            .contains("optim-14.bpk is damaged")
    );

    files.clean(&found).unwrap();
    let found = files.find().unwrap();
    assert_eq!((found.complete, found.incomplete.len()), (vec![1, 2, 9], 0));
    // An older one is left alone: its model may be the best, and whole.
    std::fs::remove_file(files.record("optim", 2)).unwrap();
    let found = files.find().unwrap();
    files.clean(&found).unwrap();
    assert_eq!(files.find().unwrap().incomplete.len(), 1);
    assert!(files.load::<ModuleRecord>("model", 2).is_ok() && files.state(2).is_ok());
    write_set(&files, 2);
    let names = names(&files);
    assert_eq!(names.len(), 3 * 7 + 1, "{names:?}");
    assert!(names.contains(&"notes-2024.txt".to_owned()));
    assert!(files.load::<ModuleRecord>("model", 9).is_ok());
    assert!(
        files.load::<ModuleRecord>("model", 10).is_err(),
        "it is deleted"
    );
}

#[test]
fn what_would_be_overwritten_is_an_error() {
    let directory = tempfile::tempdir().unwrap();
    let files = RunFiles::new(directory.path()).unwrap();
    // A first epoch that was not saved whole is trained again.
    write_set(&files, 1);
    tear(&files.record("model", 1));
    let found = files.find().unwrap();
    assert!(found.newest.is_none());
    assert_eq!(found.incomplete.len(), 1);
    // Two epochs, and none whole: somebody else's checkpoints, say.
    write_set(&files, 2);
    std::fs::remove_file(files.state_file(2)).unwrap();
    let error = files.find().unwrap_err();
    assert!(
        matches!(&error, SessionError::NoneComplete { incomplete, .. } if incomplete.len() == 2),
        "{error}"
    );
    assert!(error.to_string().contains("tricks-2.state"), "{error}");
    // A later version, though there is a complete set.
    write_set(&files, 2);
    let bytes = [MAGIC, b"23\n", b"whatever"].concat();
    std::fs::write(files.state_file(3), bytes).unwrap();
    let error = files.find().unwrap_err();
    assert!(
        matches!(&error, SessionError::Version { got, .. } if got == "23"),
        "{error}"
    );
    // One that is torn in front of the version is damaged.
    std::fs::write(files.state_file(3), MAGIC).unwrap();
    assert_eq!(files.find().unwrap().complete, [2]);
}

/// Those of Burn's own checkpointers have neither a checksum nor a state.
#[test]
fn checkpoints_of_plain_burn_are_not_deleted() {
    let directory = tempfile::tempdir().unwrap();
    let files = RunFiles::new(directory.path()).unwrap();
    let write_plain = |epoch| {
        for name in RECORDS {
            std::fs::write(files.record(name, epoch), b"of Burn").unwrap();
        }
    };
    write_plain(1);
    let error = files.find().unwrap_err();
    assert!(
        matches!(&error, SessionError::NoneComplete { incomplete, .. } if incomplete.len() == 1),
        "{error}"
    );
    assert_eq!(names(&files).len(), 3);
    // Newer ones than the newest complete set are not deleted either.
    write_set(&files, 1);
    write_plain(2);
    let error = files.find().unwrap_err();
    assert!(error.to_string().contains("epoch 2: "), "{error}");
    // Older ones stay.
    write_set(&files, 3);
    let found = files.find().unwrap();
    assert_eq!(found.complete, [1, 3]);
    files.clean(&found).unwrap();
    assert_eq!(names(&files).len(), 7 + 3 + 7);
}

/// The state of the second epoch is written before Burn waits for its files of the first.
#[test]
fn a_run_that_is_killed_before_its_first_set_is_complete_begins_anew() {
    let directory = tempfile::tempdir().unwrap();
    let files = RunFiles::new(directory.path()).unwrap();
    write_set(&files, 1);
    for path in [files.record("optim", 1), files.checksum("optim", 1)] {
        std::fs::remove_file(path).unwrap();
    }
    files.write(&state(2)).unwrap();
    let found = files.find().unwrap();
    assert!(found.newest.is_none() && found.incomplete.len() == 2);
    // Another thread has already written its file of the second epoch.
    let model = LinearConfig::new(2, 2).init(&Device::flex()).into_record();
    checkpointer(&files, "model").save(2, model).unwrap();
    assert!(files.find().unwrap().newest.is_none());
    // Burn writes no file of the second epoch before that of the first: something else has harmed the first set.
    let optim = AdamConfig::new().init().to_record();
    checkpointer(&files, "optim").save(2, optim).unwrap();
    assert!(matches!(
        files.find(),
        Err(SessionError::NoneComplete { .. })
    ));
}

#[test]
fn a_flipped_bit_and_a_renamed_file_are_noticed() {
    let directory = tempfile::tempdir().unwrap();
    let files = RunFiles::new(directory.path()).unwrap();
    write_set(&files, 3);
    assert_eq!(files.state(3).unwrap(), state(3));
    let fault = |epoch| files.state(epoch).unwrap_err().to_string();
    let path = files.state_file(3);
    std::fs::copy(&path, files.state_file(4)).unwrap();
    assert!(fault(4).contains("is damaged"));
    flip(&path);
    assert!(fault(3).contains("is damaged"));
    flip(&files.record("model", 3));
    assert!(files.load::<ModuleRecord>("model", 3).is_err());
    assert!(fault(5).contains("is missing"));
}

#[test]
fn what_cannot_be_read_is_not_incomplete() {
    let directory = tempfile::tempdir().unwrap();
    let files = RunFiles::new(directory.path()).unwrap();
    write_set(&files, 1);
    write_set(&files, 2);
    // A folder in its place is there and cannot be read, by whatever user.
    let path = files.record("optim", 2);
    std::fs::remove_file(&path).unwrap();
    std::fs::create_dir(&path).unwrap();
    assert!(matches!(files.find(), Err(SessionError::Io(_))));
}

#[test]
fn nothing_is_deleted_after_a_file_could_not_be_written() {
    let directory = tempfile::tempdir().unwrap();
    let files = RunFiles::new(directory.path()).unwrap();
    write_set(&files, 1);
    let blocked = files.record("optim", 2);
    std::fs::create_dir_all(blocked.join("not empty")).unwrap();
    let record = AdamConfig::new().init().to_record();
    assert!(checkpointer(&files, "optim").save(2, record).is_err());
    for name in RECORDS {
        Checkpointer::<ModuleRecord>::delete(&checkpointer(&files, name), 1).unwrap();
    }
    std::fs::remove_dir_all(blocked).unwrap();
    assert_eq!(files.find().unwrap().complete, [1]);
}

#[test]
fn the_state_goes_with_the_model() {
    let directory = tempfile::tempdir().unwrap();
    let files = RunFiles::new(directory.path()).unwrap();
    write_set(&files, 1);
    for (name, left) in [("optim", 5), ("scheduler", 3), ("model", 0)] {
        for _twice in 0..2 {
            Checkpointer::<ModuleRecord>::delete(&checkpointer(&files, name), 1).unwrap();
        }
        assert_eq!(names(&files).len(), left, "{name}");
    }
}
