//! The mailboxes of lab 03 as other programs see them: `mutt` and `ls`.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use tempfile::TempDir;
use testbed::{program, tests, tests_main, wait_until};

const PROGRAM: &str = "causal-mail";

/// How many seconds `mutt` may take, which nobody watches.
const PATIENCE_S: &str = "30";

fn main() {
    tests_main(tests![mutt_and_ls_show_a_box, what_mutt_has_opened_is_still_read_by_the_client]);
}

/// A server with the users Alice and Bob, in a folder of its own.
struct Post {
    server: Child,
    port: String,
    folder: TempDir,
}

impl Post {
    fn up() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let port =
            TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("its number");
        let port = port.port().to_string();
        let servers = format!("127.0.0.1:{port}:a.org\n");
        fs::write(folder.path().join("servers"), servers).expect("a file");
        causal_mail(folder.path(), &["secret", "secret"], "");
        for user in ["alice", "bob"] {
            causal_mail(folder.path(), &["passwd", "passwords", user], user);
        }
        let mut command = Command::new(program::path(PROGRAM));
        command.args(["server", &port, "a.org", "servers"]).current_dir(folder.path());
        let mut server = command.stdout(Stdio::piped()).spawn().expect("a server");
        let mut line = String::new();
        let out = server.stdout.take().expect("a pipe");
        BufReader::new(out).read_line(&mut line).expect("a line");
        assert!(line.starts_with("listening"), "{line}");
        Self { server, port, folder }
    }

    fn client(&self, user: &str, commands: &str) -> String {
        let address = format!("{user}@a.org");
        let arguments = ["client", "127.0.0.1", &self.port, "--address", &address];
        causal_mail_as(self.folder.path(), &arguments, commands, user)
    }

    fn mail_box(&self) -> String {
        self.folder.path().join("mail-a.org/boxes/bob").to_str().expect("a path").to_owned()
    }

    /// What `mutt` shows of Bob's box when it has typed these keys and left.
    fn mutt(&self, options: &[&str], keys: &str) -> String {
        let (mail_box, screen) = (self.mail_box(), self.folder.path().join("screen"));
        // In the foreground: in a process group of its own mutt would be stopped when it reads the terminal.
        let mut command = Command::new("timeout");
        command.args(["--foreground", "--kill-after=5", PATIENCE_S]);
        command.args(["mutt", "-n", "-F", "/dev/null", "-f", &mail_box]).args(options);
        // It would ask whether to make its own folder, where to move what is read, and whether to leave.
        let folder = format!("set folder={mail_box}");
        for setting in [&folder, "set mbox_type=Maildir", "set move=no", "set quit=yes"] {
            command.args(["-e", setting]);
        }
        command.args(["-e", &format!("push '{keys}<exit>'")]);
        // A terminal that nobody sits at.
        let line = format!("{command:?}");
        let status = Command::new("script")
            .args(["--quiet", "--return", "--command", &line])
            .arg(&screen)
            .env("TERM", "xterm")
            .env("HOME", self.folder.path())
            .env("LANG", "C.UTF-8")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .status()
            .expect("script can be run");
        assert!(status.success(), "{line}");
        String::from_utf8_lossy(&fs::read(screen).expect("what was on the screen")).into_owned()
    }
}

impl Drop for Post {
    fn drop(&mut self) {
        // It may have ended by itself, and then the test has failed already.
        let _ = self.server.kill();
        let _ = self.server.wait();
    }
}

fn causal_mail(folder: &Path, arguments: &[&str], input: &str) -> String {
    causal_mail_as(folder, arguments, input, "")
}

fn causal_mail_as(folder: &Path, arguments: &[&str], input: &str, password: &str) -> String {
    let mut command = Command::new(program::path(PROGRAM));
    command.args(arguments).current_dir(folder).env("CAUSAL_MAIL_PASSWORD", password);
    let mut child =
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("the program starts");
    child.stdin.take().expect("a pipe").write_all(input.as_bytes()).expect("it reads");
    let output = child.wait_with_output().expect("it ends");
    assert!(output.status.success(), "{arguments:?}: {output:?}");
    String::from_utf8(output.stdout).expect("UTF-8")
}

fn names(folder: &str) -> Vec<String> {
    let output = Command::new("ls").arg(folder).output().expect("ls can be run");
    String::from_utf8_lossy(&output.stdout).lines().map(str::to_owned).collect()
}

fn mutt_and_ls_show_a_box() {
    let post = Post::up();
    post.client(
        "alice",
        "send bob@a.org -- Noon at the well\nsend bob@a.org -- Dvanáctá u kašny\n",
    );
    let mail_box = post.mail_box();
    assert_eq!(names(&mail_box), ["cur", "new", "tmp"]);
    let new = names(&format!("{mail_box}/new"));
    assert_eq!(new.len(), 2, "{new:?}");
    assert!(new[0].ends_with("Q1.alice=a.org") && new[1].ends_with("Q2.alice=a.org"), "{new:?}");
    let screen = post.mutt(&["-R"], "<first-entry><display-message><exit>");
    for shown in ["alice@a.org", "Noon at the well", "Dvanáctá u kašny"] {
        assert!(screen.contains(shown), "{shown} is not in {screen}");
    }
    assert_eq!(names(&format!("{mail_box}/new")).len(), 2, "it only looked");
    let read = post.client("bob", "read\n");
    assert!(read.contains("Noon at the well") && read.contains("Dvanáctá u kašny"), "{read}");
    assert_eq!(names(&mail_box), ["cur", "new", "tmp"]);
    let cur = names(&format!("{mail_box}/cur"));
    assert!(cur.len() == 2 && cur.iter().all(|name| name.ends_with(":2,S")), "{cur:?}");
}

fn what_mutt_has_opened_is_still_read_by_the_client() {
    let post = Post::up();
    post.client("alice", "send bob@a.org -- Noon at the well\n");
    let screen = post.mutt(&[], "<first-entry><display-message><exit><sync-mailbox>");
    assert!(screen.contains("Noon at the well"), "{screen}");
    let mail_box = post.mail_box();
    wait_until("mutt has moved it", Duration::from_secs(10), || {
        names(&format!("{mail_box}/new")).is_empty().then_some(())
    });
    assert_eq!(names(&format!("{mail_box}/cur")).len(), 1);
    let read = post.client("bob", "read\nread\n");
    assert!(read.contains("Noon at the well") && read.ends_with("nothing to read\n"), "{read}");
}
