//! One connection of the server: the keys that may log in, and the commands that run.

use std::collections::HashMap;
use std::os::unix::process::ExitStatusExt;
use std::path::PathBuf;
use std::process::{ExitStatus, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use russh::keys::ssh_key::public::KeyData;
use russh::server::{
    Auth, ChannelOpenHandle, Handle, Handler, Msg, PublicKeyOffer, VerifiedPublicKey,
};
use russh::{Channel, ChannelId, ChannelMsg, ChannelOpenFailure, Sig};
use tokio::io::{AsyncWriteExt, copy};
use tokio::process::{Child, Command};

use crate::sftp::Files;
use crate::{Behaviour, Seen};

/// What one connection needs to know; each gets a copy.
#[derive(Clone)]
pub(crate) struct Session {
    pub(crate) authorized: Arc<Vec<KeyData>>,
    pub(crate) behaviour: Behaviour,
    pub(crate) home: PathBuf,
    pub(crate) seen: Arc<Seen>,
    /// Channels that nothing runs in yet.
    pub(crate) channels: HashMap<ChannelId, Arc<tokio::sync::Mutex<Option<Channel<Msg>>>>>,
    /// Channels open now in this connection.
    pub(crate) running: Arc<AtomicUsize>,
}

impl Session {
    fn judge(&self, key: &KeyData) -> Auth {
        if self.authorized.contains(key) { Auth::Accept } else { Auth::reject() }
    }

    async fn take(&mut self, id: ChannelId) -> Option<Channel<Msg>> {
        self.channels.remove(&id)?.lock().await.take()
    }

    fn spawn(&self, command: &str) -> std::io::Result<Child> {
        let noise = self.behaviour.noise;
        let script = format!("printf '%s' \"$NOISE\"; {command}");
        Command::new("sh")
            .args(["-c", &script])
            .env("NOISE", noise)
            .env("HOME", &self.home)
            .current_dir(&self.home)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
    }
}

impl Handler for Session {
    type Error = russh::Error;

    async fn auth_publickey_offered(
        &mut self,
        _user: &str,
        offer: PublicKeyOffer<'_>,
    ) -> Result<Auth, Self::Error> {
        Ok(self.judge(offer.public_key.key_data()))
    }

    async fn auth_publickey(
        &mut self,
        _user: &str,
        key: VerifiedPublicKey<'_>,
    ) -> Result<Auth, Self::Error> {
        // Each connection counts its own channels.
        self.running = Arc::default();
        Ok(self.judge(key.public_key.key_data()))
    }

    async fn channel_open_session(
        &mut self,
        channel: Channel<Msg>,
        reply: ChannelOpenHandle,
        _session: &mut russh::server::Session,
    ) -> Result<(), Self::Error> {
        if self.running.load(Ordering::SeqCst) >= self.behaviour.max_sessions {
            reply.reject(ChannelOpenFailure::ConnectFailed).await;
            return Ok(());
        }
        self.running.fetch_add(1, Ordering::SeqCst);
        self.channels.insert(channel.id(), Arc::new(tokio::sync::Mutex::new(Some(channel))));
        reply.accept().await;
        Ok(())
    }

    async fn exec_request(
        &mut self,
        id: ChannelId,
        command: &[u8],
        session: &mut russh::server::Session,
    ) -> Result<(), Self::Error> {
        let command = String::from_utf8_lossy(command).into_owned();
        let channel = self.take(id).await;
        let (Some(channel), Ok(child)) = (channel, self.spawn(&command)) else {
            return session.channel_failure(id);
        };
        self.seen.commands.lock().expect("no thread has panicked").push(command);
        session.channel_success(id)?;
        let (handle, running) = (session.handle(), self.running.clone());
        tokio::spawn(async move {
            run(channel, child, handle).await;
            running.fetch_sub(1, Ordering::SeqCst);
        });
        Ok(())
    }

    async fn subsystem_request(
        &mut self,
        id: ChannelId,
        name: &str,
        session: &mut russh::server::Session,
    ) -> Result<(), Self::Error> {
        let channel = self.take(id).await;
        let (true, "sftp", Some(channel)) = (self.behaviour.sftp, name, channel) else {
            return session.channel_failure(id);
        };
        session.channel_success(id)?;
        // As an sftp-server does that is started by a login shell whose .bashrc prints.
        if !self.behaviour.noise.is_empty() {
            channel.data(self.behaviour.noise.as_bytes()).await?;
        }
        let files = Files::new(self.home.clone(), self.seen.clone());
        russh_sftp::server::run(channel.into_stream(), files).await;
        self.running.fetch_sub(1, Ordering::SeqCst);
        Ok(())
    }
}

/// Carries a command's input and outputs until all have ended, and says how it ended.
async fn run(channel: Channel<Msg>, mut child: Child, handle: Handle) {
    let id = channel.id();
    let (mut from_client, to_client) = channel.split();
    let (mut stdin, stdout, stderr) =
        (child.stdin.take(), child.stdout.take(), child.stderr.take());
    let input = async move {
        while let Some(message) = from_client.wait().await {
            match message {
                ChannelMsg::Data { data } => {
                    // A command that reads no more takes no more.
                    if let Some(open) = &mut stdin
                        && open.write_all(&data).await.is_err()
                    {
                        stdin = None;
                    }
                }
                ChannelMsg::Eof => stdin = None,
                ChannelMsg::Close => return,
                _ => {}
            }
        }
    };
    let (mut out, mut err) = (to_client.make_writer(), to_client.make_writer_ext(Some(1)));
    let output = async {
        let (mut stdout, mut stderr) = (stdout.expect("a pipe"), stderr.expect("a pipe"));
        let _ = tokio::join!(copy(&mut stdout, &mut out), copy(&mut stderr, &mut err));
        child.wait().await
    };
    tokio::pin!(input);
    tokio::pin!(output);
    let ended = tokio::select! {
        ended = &mut output => ended,
        // The client has closed the channel or is gone: the command goes on, as with OpenSSH.
        () = &mut input => output.await,
    };
    if let Ok(status) = ended {
        report(&handle, id, status).await;
    }
    let _ = handle.eof(id).await;
    let _ = handle.close(id).await;
}

async fn report(handle: &Handle, id: ChannelId, status: ExitStatus) {
    let _ = match status.signal() {
        Some(9) => {
            handle.exit_signal_request(id, Sig::KILL, false, String::new(), String::new()).await
        }
        _ => handle.exit_status_request(id, status.code().unwrap_or(255).unsigned_abs()).await,
    };
}
