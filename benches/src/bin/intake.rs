//! Which way of taking small messages from many sockets costs the server least, on this kernel.
//!
//! A second process on core 1 writes 100-byte messages to random sockets at a steady rate; the server on core 0 takes
//! them in the ways that a relay could, one after another in turn. Compared is the process' CPU time for each message,
//! waking up included, as the median of the ratios within each turn.

use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::os::fd::{AsRawFd, RawFd};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::{Duration, Instant};

use hookcast_benches::cpu;
use io_uring::{IoUring, cqueue, opcode, types};
use rustix::event::epoll;
use rustix::net::{RecvFlags, SendFlags};

const CONNECTIONS: usize = 1000;
const MESSAGE_BYTES: usize = 100;
const BUFFER_BYTES: usize = 2048;
const BUFFERS: u16 = 1024;

fn main() {
    let args: Vec<String> = std::env::args().skip(1).collect();
    if args.first().is_some_and(|a| a == "write") {
        return write_messages(&args[1]);
    }
    let rounds: usize = args
        .first()
        .map_or(15, |a| a.parse().expect("a number of rounds"));
    for rate in [2_000, 20_000, 100_000] {
        run(rate, rounds);
    }
}

const WAYS: [&str; 11] = [
    "epoll level + recv(2)",
    "epoll edge + recv(2)",
    "ring poll oneshot + recv(2)",
    "ring poll oneshot + recv(2), defer-taskrun",
    "ring poll multishot + recv(2), defer-taskrun",
    "ring recv, a buffer per connection, defer-taskrun",
    "ring recv multishot, provided buffers",
    "ring recv multishot, provided buffers, defer-taskrun",
    "ring poll oneshot + recv(2), coop-taskrun",
    "ring poll multishot + recv(2)",
    "ring poll multishot + recv(2), coop-taskrun",
];

#[derive(Clone, Copy)]
enum Setup {
    Default,
    Coop,
    Defer,
}

fn run(rate: usize, rounds: usize) {
    cpu::pin(0).expect("core 0");
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let mut child = Command::new(std::env::current_exe().expect("own path"))
        .args(["write", &listener.local_addr().expect("an address").to_string()])
        .stdin(Stdio::piped())
        .spawn()
        .expect("the writing process");
    let sockets: Vec<TcpStream> = (0..CONNECTIONS)
        .map(|_| {
            let (socket, _) = listener.accept().expect("a connection");
            socket.set_nonblocking(true).expect("non-blocking");
            socket
        })
        .collect();
    let fds: Vec<RawFd> = sockets.iter().map(AsRawFd::as_raw_fd).collect();
    let messages = rate / 4;
    let mut costs = vec![Vec::new(); WAYS.len()];
    for round in 0..rounds + 1 {
        for k in 0..WAYS.len() {
            let way = (k + round) % WAYS.len();
            let mut start = || {
                writeln!(child.stdin.as_mut().expect("piped"), "{rate} {messages}")
                    .expect("the writer listens");
                cpu::of_this_process()
            };
            let bytes = messages * MESSAGE_BYTES;
            let before = match way {
                0 => by_epoll(&sockets, bytes, epoll::EventFlags::IN, &mut start),
                1 => by_epoll(
                    &sockets,
                    bytes,
                    epoll::EventFlags::IN | epoll::EventFlags::ET,
                    &mut start,
                ),
                2 => by_poll(&fds, bytes, Setup::Default, false, &mut start),
                3 => by_poll(&fds, bytes, Setup::Defer, false, &mut start),
                4 => by_poll(&fds, bytes, Setup::Defer, true, &mut start),
                5 => by_recv(&fds, bytes, &mut start),
                6 => by_multishot(&fds, bytes, Setup::Default, &mut start),
                7 => by_multishot(&fds, bytes, Setup::Defer, &mut start),
                8 => by_poll(&fds, bytes, Setup::Coop, false, &mut start),
                9 => by_poll(&fds, bytes, Setup::Default, true, &mut start),
                _ => by_poll(&fds, bytes, Setup::Coop, true, &mut start),
            };
            if round > 0 {
                costs[way].push((cpu::of_this_process() - before).as_secs_f64() * 1e6 / messages as f64);
            }
            std::thread::sleep(Duration::from_millis(5));
        }
    }
    println!("\n{CONNECTIONS} sockets, {rate} messages/s of {MESSAGE_BYTES} bytes, {rounds} rounds");
    println!("{:<56} {:>14} {:>8}", "way", "us per message", "ratio");
    for (way, name) in WAYS.iter().enumerate() {
        let ratios: Vec<f64> = costs[way].iter().zip(&costs[0]).map(|(a, b)| a / b).collect();
        println!(
            "{name:<56} {:>14.3} {:>8.3}",
            median(&costs[way]),
            median(&ratios)
        );
    }
    child.kill().expect("the writer ends");
    child.wait().expect("the writer ended");
}

fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted[sorted.len() / 2]
}

fn by_epoll(
    sockets: &[TcpStream],
    mut missing: usize,
    flags: epoll::EventFlags,
    start: &mut impl FnMut() -> Duration,
) -> Duration {
    let epoll = epoll::create(epoll::CreateFlags::CLOEXEC).expect("epoll");
    for (index, socket) in sockets.iter().enumerate() {
        epoll::add(&epoll, socket, epoll::EventData::new_u64(index as u64), flags).expect("registered");
    }
    let mut events = Vec::with_capacity(1024);
    let mut buffer = vec![0_u8; 65536];
    let before = start();
    while missing > 0 {
        rustix::io::retry_on_intr(|| epoll::wait(&epoll, rustix::buffer::spare_capacity(&mut events), None))
            .expect("events");
        for event in events.drain(..) {
            let socket = &sockets[usize::try_from(event.data.u64()).expect("an index")];
            missing -= take(socket.as_raw_fd(), &mut buffer);
        }
    }
    before
}

fn take(fd: RawFd, buffer: &mut [u8]) -> usize {
    // SAFETY: the socket outlives the round; the descriptor is its own.
    let fd = unsafe { rustix::fd::BorrowedFd::borrow_raw(fd) };
    rustix::net::recv(fd, buffer, RecvFlags::DONTWAIT).map_or(0, |(taken, _)| taken)
}

fn ring(setup: Setup) -> IoUring {
    let mut builder = IoUring::builder();
    match setup {
        Setup::Default => {}
        Setup::Coop => {
            builder.setup_coop_taskrun();
        }
        Setup::Defer => {
            builder.setup_single_issuer().setup_defer_taskrun();
        }
    }
    builder.build(4096).expect("a ring")
}

fn wait(ring: &IoUring) {
    while let Err(error) = ring.submit_and_wait(1) {
        assert_eq!(error.kind(), std::io::ErrorKind::Interrupted, "{error}");
    }
}

fn push(ring: &mut IoUring, entry: &io_uring::squeue::Entry) {
    // SAFETY: every buffer that an entry names outlives the ring of its round.
    unsafe {
        ring.submission()
            .push(entry)
            .expect("fewer entries than the ring holds");
    };
}

fn by_poll(
    fds: &[RawFd],
    mut missing: usize,
    setup: Setup,
    multi: bool,
    start: &mut impl FnMut() -> Duration,
) -> Duration {
    let mut ring = ring(setup);
    let arm = |index: usize| {
        opcode::PollAdd::new(types::Fd(fds[index]), libc::POLLIN.cast_unsigned().into())
            .multi(multi)
            .build()
            .user_data(index as u64)
    };
    for index in 0..fds.len() {
        push(&mut ring, &arm(index));
    }
    ring.submit().expect("armed");
    let mut buffer = vec![0_u8; 65536];
    let mut ready = Vec::new();
    let before = start();
    while missing > 0 {
        wait(&ring);
        ready.extend(
            ring.completion()
                .map(|c| (usize::try_from(c.user_data()).expect("an index"), c.flags())),
        );
        for (index, flags) in ready.drain(..) {
            missing -= take(fds[index], &mut buffer);
            if !cqueue::more(flags) {
                push(&mut ring, &arm(index));
            }
        }
    }
    before
}

fn by_recv(fds: &[RawFd], mut missing: usize, start: &mut impl FnMut() -> Duration) -> Duration {
    let mut buffers = vec![[0_u8; BUFFER_BYTES]; fds.len()];
    let bases: Vec<*mut u8> = buffers.iter_mut().map(|b| b.as_mut_ptr()).collect();
    let mut ring = ring(Setup::Defer);
    let arm = |index: usize| {
        opcode::Recv::new(types::Fd(fds[index]), bases[index], BUFFER_BYTES as u32)
            .build()
            .user_data(index as u64)
    };
    for index in 0..fds.len() {
        push(&mut ring, &arm(index));
    }
    ring.submit().expect("armed");
    let mut done = Vec::new();
    let before = start();
    while missing > 0 {
        wait(&ring);
        done.extend(
            ring.completion()
                .map(|c| (usize::try_from(c.user_data()).expect("an index"), c.result())),
        );
        for (index, taken) in done.drain(..) {
            missing -= usize::try_from(taken).expect("bytes");
            push(&mut ring, &arm(index));
        }
    }
    drop(ring);
    before
}

/// A ring of buffers that the kernel picks from (`IORING_REGISTER_PBUF_RING`).
struct Buffers {
    entries: *mut types::BufRingEntry,
    memory: Vec<u8>,
    tail: u16,
}

impl Buffers {
    fn new() -> Self {
        let bytes = usize::from(BUFFERS) * size_of::<types::BufRingEntry>();
        let flags = rustix::mm::MapFlags::PRIVATE;
        let access = rustix::mm::ProtFlags::READ | rustix::mm::ProtFlags::WRITE;
        // SAFETY: a new anonymous mapping overlaps nothing.
        let entries = unsafe { rustix::mm::mmap_anonymous(std::ptr::null_mut(), bytes, access, flags) };
        let memory = vec![0; usize::from(BUFFERS) * BUFFER_BYTES];
        let mut buffers = Self {
            entries: entries.expect("a page").cast(),
            memory,
            tail: 0,
        };
        for id in 0..BUFFERS {
            buffers.give_back(id);
        }
        buffers.publish();
        buffers
    }

    fn give_back(&mut self, id: u16) {
        // SAFETY: the index is within the mapping, and the kernel does not read an entry before the tail passes it.
        let entry = unsafe { &mut *self.entries.add(usize::from(self.tail % BUFFERS)) };
        entry.set_addr(self.memory.as_ptr() as u64 + u64::from(id) * BUFFER_BYTES as u64);
        entry.set_len(BUFFER_BYTES as u32);
        entry.set_bid(id);
        self.tail = self.tail.wrapping_add(1);
    }

    fn publish(&self) {
        // SAFETY: the tail is a field of the first entry, written only here.
        let tail = unsafe { &*types::BufRingEntry::tail(self.entries).cast::<AtomicU16>() };
        tail.store(self.tail, Ordering::Release);
    }
}

fn by_multishot(
    fds: &[RawFd],
    mut missing: usize,
    setup: Setup,
    start: &mut impl FnMut() -> Duration,
) -> Duration {
    let mut buffers = Buffers::new();
    let mut ring = ring(setup);
    // SAFETY: the buffers outlive the ring.
    unsafe {
        ring.submitter()
            .register_buf_ring_with_flags(buffers.entries as u64, BUFFERS, 0, 0)
    }
    .expect("registered buffers");
    let arm = |index: usize| {
        opcode::RecvMulti::new(types::Fd(fds[index]), 0)
            .build()
            .user_data(index as u64)
    };
    for index in 0..fds.len() {
        push(&mut ring, &arm(index));
    }
    ring.submit().expect("armed");
    let mut done = Vec::new();
    let before = start();
    while missing > 0 {
        wait(&ring);
        done.extend(ring.completion().map(|c| (c.user_data(), c.result(), c.flags())));
        for (index, taken, flags) in done.drain(..) {
            missing -= usize::try_from(taken).unwrap_or(0);
            if let Some(id) = cqueue::buffer_select(flags) {
                buffers.give_back(id);
            }
            if !cqueue::more(flags) {
                push(&mut ring, &arm(usize::try_from(index).expect("an index")));
            }
        }
        buffers.publish();
    }
    drop(ring);
    before
}

fn write_messages(address: &str) {
    cpu::pin(1).expect("core 1");
    let sockets: Vec<TcpStream> = (0..CONNECTIONS)
        .map(|_| {
            let socket = TcpStream::connect(address).expect("a connection");
            socket.set_nodelay(true).expect("no delay");
            socket
        })
        .collect();
    let mut state = 1_u64;
    for line in BufReader::new(std::io::stdin().lock()).lines() {
        let line = line.expect("the parent speaks");
        let (rate, messages) = line.split_once(' ').expect("two numbers");
        let (rate, messages): (f64, u32) =
            (rate.parse().expect("a rate"), messages.parse().expect("a count"));
        let start = Instant::now();
        for number in 0..messages {
            let due = Duration::from_secs_f64(f64::from(number) / rate);
            if let Some(wait) = due.checked_sub(start.elapsed()) {
                std::thread::sleep(wait);
            }
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            let socket = &sockets[usize::try_from(state >> 33).expect("31 bits") % CONNECTIONS];
            rustix::net::send(socket, &[b'm'; MESSAGE_BYTES], SendFlags::empty()).expect("the server reads");
        }
    }
}
