/** The PTY host's bounds and times, with their reasons. */
export const limits = {
  /** What a viewer may miss and still resume exactly: a reload of the page, a restart of the controller, in a busy build. */
  ringBytes: 1024 * 1024,
  /** A ring starts small: a terminal that was only opened has a prompt. */
  firstRingBytes: 4 * 1024,

  /** One frame of live output. Longer frames gain nothing and delay what shares the link. */
  frameBytes: 64 * 1024,
  /** How long output waits in a flood to fill a frame, in milliseconds: a quarter of the CPU for 5 % of the throughput. */
  coalesceMs: 2,
  /** Output within `coalesceMs` above which it is a flood. Below it goes out at once: a timer would triple the echo. */
  floodBytes: 8 * 1024,

  /**
   * What a viewer has under way while somebody types into another terminal, so that the echo does not wait behind all of
   * a window, and for how long after a key, in milliseconds. It is still 30 MB/s at a round trip of 2 ms.
   */
  sharedWindowBytes: 64 * 1024,
  typingMs: 250,

  /** How long a PTY is held when no viewer makes room, in milliseconds (DESIGN, invariant 4). */
  stallMs: 250,

  /** One batch for the screen model: xterm parses it nearly twice as fast as 4 KB writes, in about a millisecond. */
  parseBatchBytes: 32 * 1024,
  /** After each batch the model rests this many times as long as the batch took, so that a flood keeps its loop. */
  parseRestFactor: 2,
  /**
   * Where the model begins anew when somebody asks in a flood that outran it: enough output for 1,000 lines of 256
   * bytes. Behind the flood it begins at the ring's start.
   */
  parseTailBytes: 256 * 1024,
  /** A flood that outran the model is over when less output than this came between two looks, at so many milliseconds. */
  calmBytes: 64 * 1024,
  calmLookMs: 100,
  /** Silence after which the screen model is put to rest, in milliseconds: it takes ten megabytes, and a moment to make. */
  restAfterMs: 2000,
  /** How many that were used last, and for how long, keep their model all the same. */
  lingering: 2,
  lingerMs: 20_000,
  /** Output with which a model that rests is woken: so much is parsed in two milliseconds when somebody asks. */
  restedBytes: 64 * 1024,
  /** How long it rests on when that has come, in milliseconds: by then a flood has gone past the ring. */
  wakeLookMs: 30,
  /** What the model keeps: the most that a viewer may ask for. */
  scrollbackLines: 10_000,

  /** From dirty to disk, in milliseconds (invariant 1 grants a second). */
  flushMs: 250,
  /** How long the end of a program may take to reach the disk before it is told all the same, in milliseconds. */
  endFlushMs: 1000,
  /** A file of the ring on disk. The oldest is deleted whole, so the disk holds at most the ring and one of these more. */
  segmentBytes: 256 * 1024,
  /** Output after which the screen is written anew: what must be parsed again after a restart stays within the ring. */
  checkpointBytes: 256 * 1024,
  /** At most one screen in so many milliseconds; while output goes on, fewer: it takes the loop from what is typed. */
  checkpointMs: 1000,
  busyCheckpointMs: 4000,
  /** Scrollback in a screen that is written while the program runs: 2,000 lines take 10 ms of the loop. */
  checkpointLines: 2000,

  /** How far apart the times of a recording are, in milliseconds: output in between counts as come at once. */
  timeMarkMs: 10,
  /** Times that wait to be written: ten flushes of a busy terminal. While a disk is full, every other one goes. */
  pendingTimes: 256,
  /** A file of times on disk, about; output goes on in a new segment behind it. */
  segmentTimesBytes: 64 * 1024,
  /** What is kept of a terminal's output with its times: a week of a busy Claude. The oldest segment goes first. */
  recordingBytes: 16 * 1024 * 1024,
  /** The same of all terminals together: a sandbox's disk is its user's. */
  allRecordingsBytes: 256 * 1024 * 1024,
  /** How long output is kept, in milliseconds, and how often that is looked at. */
  recordingAgeMs: 30 * 24 * 60 * 60 * 1000,
  recordingSweepMs: 60 * 60 * 1000,
  /** What a file takes on disk at least, as it is counted. */
  diskBlockBytes: 4096,
  /** What of the recordings makes room when the disk is full, at each attempt to write. */
  yieldedBytes: 1024 * 1024,
  /** One portion of a recording that is sent. */
  recordingChunkBytes: 32 * 1024,

  /** How long what was written is collected before it is told, in milliseconds. */
  inputAckMs: 20,
  /** Input that waits for a program which does not read it, from calls; viewers are held by their channel's credit. */
  pendingInputBytes: 2 * 1024 * 1024,
  /** How long a stream of input is remembered without a viewer, in milliseconds, and how many of them a terminal knows. */
  inputStreamMs: 60 * 60 * 1000,
  inputStreams: 256,

  /** How long a program has after SIGHUP, in milliseconds. */
  killGraceMs: 2000,
  /**
   * How long a terminal must be silent behind its program's end before that is told, in milliseconds, and how long it is
   * awaited at most while another process goes on writing. The kernel hands written output over within a few.
   */
  drainIdleMs: 20,
  drainMaxMs: 1000,

  maxTerminals: 256,
  maxConnections: 16,
  maxViewersPerTerminal: 64,
  /** Calls that wait for a screen. One with `since` has a screen of its own, of a few megabytes. */
  maxWaitsPerTerminal: 8,
  maxWaits: 32,
} as const;
