//! An instance of Postfix of its own, which ends with the bench, and clients of it.

use std::fs::{self, Permissions};
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use nix::unistd::{User, geteuid};

use super::{BODY, CLIENTS, LINES, measure};

pub(crate) struct Postfix {
    folder: PathBuf,
    port: u16,
}

/// The processes of an instance: as the package has them, but for those that nobody asks here.
const MASTER: &str = "pickup unix n - n 60 1 pickup
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
verify unix - - n - 1 verify
flush unix n - n 1000? 0 flush
proxymap unix - - n - - proxymap
error unix - - n - - error
retry unix - - n - - error
virtual unix - n n - - virtual
anvil unix - - n - 1 anvil
";

impl Postfix {
    /// Starts it, or says why that cannot be.
    pub(crate) fn start(folder: &Path) -> Result<Self, String> {
        let owner = User::from_name("postfix").ok().flatten().ok_or("it is not installed")?;
        if !geteuid().is_root() {
            return Err("it needs root".to_owned());
        }
        let listener = TcpListener::bind("127.0.0.1:0").map_err(|error| error.to_string())?;
        let port = listener.local_addr().map_err(|error| error.to_string())?.port();
        drop(listener);
        let this = Self { folder: folder.to_owned(), port };
        this.configure(&owner).map_err(|error| error.to_string())?;
        this.command("start")?;
        Ok(this)
    }

    fn configure(&self, owner: &User) -> std::io::Result<()> {
        for part in ["conf", "queue", "data", "boxes"] {
            fs::create_dir_all(self.folder.join(part))?;
        }
        for part in ["data", "boxes"] {
            let (user, group) = (owner.uid.as_raw(), owner.gid.as_raw());
            std::os::unix::fs::chown(self.folder.join(part), Some(user), Some(group))?;
        }
        // Its processes are another user's, who must find the folder.
        let above = self.folder.parent().unwrap_or(&self.folder);
        fs::set_permissions(above, Permissions::from_mode(0o755))?;
        let (folder, uid, gid) = (self.folder.display(), owner.uid, owner.gid);
        let main = format!(
            "compatibility_level = 3.6\nqueue_directory = {folder}/queue\ndata_directory = {folder}/data\n\
             command_directory = /usr/sbin\ndaemon_directory = /usr/lib/postfix/sbin\n\
             mail_owner = postfix\nsetgid_group = postdrop\ninet_interfaces = 127.0.0.1\n\
             inet_protocols = ipv4\nmynetworks = 127.0.0.0/8\nmyhostname = b.org\nmydestination =\n\
             alias_maps =\nalias_database =\nin_flow_delay = 0\nvirtual_mailbox_domains = b.org\n\
             virtual_mailbox_base = {folder}/boxes\nvirtual_mailbox_maps = static:user0/\n\
             virtual_minimum_uid = 1\nvirtual_uid_maps = static:{uid}\nvirtual_gid_maps = static:{gid}\n\
             smtpd_recipient_restrictions = permit_mynetworks, reject\n"
        );
        fs::write(self.folder.join("conf/main.cf"), main)?;
        let smtpd = format!("127.0.0.1:{} inet n - n - - smtpd\n", self.port);
        fs::write(self.folder.join("conf/master.cf"), smtpd + MASTER)
    }

    fn command(&self, word: &str) -> Result<(), String> {
        let mut command = Command::new("postfix");
        let output = command.arg("-c").arg(self.folder.join("conf")).arg(word).output();
        let output = output.map_err(|error| error.to_string())?;
        let said = String::from_utf8_lossy(&output.stderr);
        if output.status.success() { Ok(()) } else { Err(format!("`postfix {word}`: {said}")) }
    }

    pub(crate) fn round(&self, mails: usize) -> f64 {
        let clients = (0..CLIENTS).map(|_| Client::connect(self.port)).collect();
        measure(clients, mails, &self.folder.join("boxes/user0/new"), Client::send)
    }
}

impl Drop for Postfix {
    fn drop(&mut self) {
        let _ = self.command("abort");
    }
}

/// A client that speaks SMTP.
struct Client {
    from: BufReader<TcpStream>,
    to: TcpStream,
}

impl Client {
    fn connect(port: u16) -> Self {
        let stream = TcpStream::connect(("127.0.0.1", port)).expect("the server");
        stream.set_nodelay(true).expect("an option");
        let from = BufReader::new(stream.try_clone().expect("a copy"));
        let mut client = Self { from, to: stream };
        client.expect("220");
        client.say("EHLO a.org\r\n");
        client.expect("250");
        client
    }

    fn send(&mut self) {
        self.say("MAIL FROM:<user0@a.org>\r\nRCPT TO:<user0@b.org>\r\nDATA\r\n");
        ["250", "250", "354"].iter().for_each(|code| self.expect(code));
        let body = BODY.replace('\n', "\r\n").repeat(LINES);
        self.say(&format!("From: user0@a.org\r\nTo: user0@b.org\r\n\r\n{body}.\r\n"));
        self.expect("250");
    }

    fn say(&mut self, text: &str) {
        self.to.write_all(text.as_bytes()).expect("the server takes it");
    }

    /// An answer may have several lines; a dash behind the code says that more come.
    fn expect(&mut self, code: &str) {
        loop {
            let mut line = String::new();
            self.from.read_line(&mut line).expect("the server answers");
            assert!(line.starts_with(code), "{line:?} instead of {code}");
            if line.as_bytes().get(3) != Some(&b'-') {
                return;
            }
        }
    }
}
