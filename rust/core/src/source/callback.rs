//! A source that another thread serves: reads become requests in a queue.
//!
//! This is how a Python file object is read by threads that must not touch Python: the thread
//! that conducts the call takes the requests and answers them.

use std::io;

use crossbeam_channel::{Receiver, Sender, bounded, unbounded};

use super::BlockSource;

/// A read that waits for its answer.
#[derive(Debug)]
pub struct ReadRequest {
    /// Where to read, in bytes.
    pub offset: u64,
    /// How much to read, in bytes.
    pub length: usize,
    reply: Sender<io::Result<Vec<u8>>>,
}

impl ReadRequest {
    /// Hands the bytes, or the failure, to the thread that waits. Fewer bytes than asked for
    /// are a read beyond the end.
    pub fn answer(self, bytes: io::Result<Vec<u8>>) {
        // A reader that has gone needs no answer.
        let _ = self.reply.send(bytes);
    }
}

/// A source of which the reads are served elsewhere.
#[derive(Debug)]
pub struct CallbackSource {
    length: u64,
    requests: Sender<ReadRequest>,
}

impl CallbackSource {
    /// A source of `length` bytes, and the queue of its reads. Any number of threads may serve.
    #[must_use]
    pub fn new(length: u64) -> (Self, Receiver<ReadRequest>) {
        let (requests, queue) = unbounded();
        (Self { length, requests }, queue)
    }
}

impl BlockSource for CallbackSource {
    fn len(&self) -> u64 {
        self.length
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<()> {
        let (reply, answer) = bounded(1);
        let gone = |()| io::Error::new(io::ErrorKind::BrokenPipe, "nobody serves the reads");
        let request = ReadRequest { offset, length: buffer.len(), reply };
        self.requests.send(request).map_err(|_| gone(()))?;
        let bytes = answer.recv().map_err(|_| gone(()))??;
        if bytes.len() != buffer.len() {
            let message = format!("short read: {} of {} bytes", bytes.len(), buffer.len());
            return Err(io::Error::new(io::ErrorKind::UnexpectedEof, message));
        }
        buffer.copy_from_slice(&bytes);
        Ok(())
    }

    fn can_change(&self) -> bool {
        true
    }
}
