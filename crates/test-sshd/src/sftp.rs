//! The files of the server: the part of SFTP that a client of ours uses.

use std::collections::HashMap;
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, FileExt, OpenOptionsExt};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use russh_sftp::protocol::{
    self, Attrs, Data, FileAttributes, Handle, Name, OpenFlags, Status, StatusCode,
};
use russh_sftp::server::Handler;

use crate::Seen;

/// The files of one SFTP session; relative paths start at the home folder.
pub(crate) struct Files {
    home: PathBuf,
    seen: Arc<Seen>,
    open: HashMap<String, File>,
    next: u32,
}

impl Files {
    pub(crate) fn new(home: PathBuf, seen: Arc<Seen>) -> Files {
        Files { home, seen, open: HashMap::new(), next: 0 }
    }

    fn path(&self, path: &str) -> PathBuf {
        self.home.join(path)
    }

    fn file(&self, handle: &str) -> Result<&File, StatusCode> {
        self.open.get(handle).ok_or(StatusCode::Failure)
    }
}

impl Handler for Files {
    type Error = StatusCode;

    fn unimplemented(&self) -> StatusCode {
        StatusCode::OpUnsupported
    }

    async fn open(
        &mut self,
        id: u32,
        filename: String,
        flags: OpenFlags,
        about: FileAttributes,
    ) -> Result<Handle, StatusCode> {
        let mut options = OpenOptions::new();
        options.read(flags.contains(OpenFlags::READ)).write(flags.contains(OpenFlags::WRITE));
        options.create(flags.contains(OpenFlags::CREATE));
        options.create_new(flags.contains(OpenFlags::EXCLUDE));
        options.truncate(flags.contains(OpenFlags::TRUNCATE));
        options.mode(about.permissions.unwrap_or(0o666) & 0o777);
        let file = options.open(self.path(&filename)).map_err(status)?;
        if flags.contains(OpenFlags::WRITE) {
            self.seen.written.fetch_add(1, Ordering::SeqCst);
        }
        self.next += 1;
        let handle = self.next.to_string();
        self.open.insert(handle.clone(), file);
        Ok(Handle { id, handle })
    }

    async fn close(&mut self, id: u32, handle: String) -> Result<Status, StatusCode> {
        self.open.remove(&handle).ok_or(StatusCode::Failure)?;
        Ok(ok(id))
    }

    async fn read(
        &mut self,
        id: u32,
        handle: String,
        offset: u64,
        len: u32,
    ) -> Result<Data, StatusCode> {
        let mut data = vec![0; len.min(1 << 18) as usize];
        let n = self.file(&handle)?.read_at(&mut data, offset).map_err(status)?;
        data.truncate(n);
        if n == 0 { Err(StatusCode::Eof) } else { Ok(Data { id, data }) }
    }

    async fn write(
        &mut self,
        id: u32,
        handle: String,
        offset: u64,
        data: Vec<u8>,
    ) -> Result<Status, StatusCode> {
        self.file(&handle)?.write_all_at(&data, offset).map_err(status)?;
        Ok(ok(id))
    }

    async fn lstat(&mut self, id: u32, path: String) -> Result<Attrs, StatusCode> {
        let about = fs::symlink_metadata(self.path(&path)).map_err(status)?;
        Ok(Attrs { id, attrs: FileAttributes::from(&about) })
    }

    async fn stat(&mut self, id: u32, path: String) -> Result<Attrs, StatusCode> {
        let about = fs::metadata(self.path(&path)).map_err(status)?;
        Ok(Attrs { id, attrs: FileAttributes::from(&about) })
    }

    async fn mkdir(
        &mut self,
        id: u32,
        path: String,
        about: FileAttributes,
    ) -> Result<Status, StatusCode> {
        let mode = about.permissions.unwrap_or(0o777) & 0o777;
        DirBuilder::new().mode(mode).create(self.path(&path)).map_err(status)?;
        Ok(ok(id))
    }

    async fn realpath(&mut self, id: u32, path: String) -> Result<Name, StatusCode> {
        let path = self.path(&path).canonicalize().map_err(status)?;
        let file = protocol::File::dummy(path.to_string_lossy());
        Ok(Name { id, files: vec![file] })
    }

    async fn remove(&mut self, id: u32, path: String) -> Result<Status, StatusCode> {
        fs::remove_file(self.path(&path)).map_err(status)?;
        Ok(ok(id))
    }

    async fn rename(&mut self, id: u32, from: String, to: String) -> Result<Status, StatusCode> {
        // Version 3 of the protocol replaces nothing: a link fails if the name is taken.
        fs::hard_link(self.path(&from), self.path(&to)).map_err(status)?;
        fs::remove_file(self.path(&from)).map_err(status)?;
        Ok(ok(id))
    }
}

fn ok(id: u32) -> Status {
    let (error_message, language_tag) = ("Ok".to_owned(), "en".to_owned());
    Status { id, status_code: StatusCode::Ok, error_message, language_tag }
}

#[expect(clippy::needless_pass_by_value, reason = "it is passed to map_err")]
fn status(error: io::Error) -> StatusCode {
    match error.kind() {
        io::ErrorKind::NotFound => StatusCode::NoSuchFile,
        io::ErrorKind::PermissionDenied => StatusCode::PermissionDenied,
        _ => StatusCode::Failure,
    }
}
