package dev.yukha;

import java.io.Closeable;
import java.util.Map;
import java.util.concurrent.TimeUnit;

/**
 * Composes sentences, holds them on disk, sends them. Nothing here throws: what went wrong is in the {@link Result}. A
 * tracker that could not open can still be called, and each call says why.
 *
 * <p>Threads: any, for every method, also while another one closes.
 */
public final class Tracker implements Closeable {
    private static final long CLOSE_DEADLINE_MS = 2000;

    /** What is still answered when the native tracker was given back. */
    private static final class Ended {
        final Result result;
        final Stats stats;
        final Consent consent;

        Ended(Result result, Stats stats, Consent consent) {
            this.result = result;
            this.stats = stats;
            this.consent = consent;
        }
    }

    private final Handle handle;
    private final Runnable giveBack;
    private final Result status;
    private volatile Ended ended;
    private volatile boolean keptReachable;

    private Tracker(Config config, Reaper reaper) {
        int[] result = {Result.OUT_OF_MEMORY};
        Packet packet = config == null ? null : config.packet();
        long tracker = Native.open(packet == null ? null : packet.bytes(), packet == null ? 0 : packet.size(), result);
        handle = new Handle(tracker);
        giveBack = reaper.watch(this, handle);
        status = result(result[0], tracker);
    }

    /** Always gives a tracker that can be called; {@link #status} says how it went. Blocks: for a few disk writes. */
    public static Tracker open(Config config) {
        return open(config, Reaper.BEST);
    }

    static Tracker open(Config config, Reaper reaper) {
        return new Tracker(config, reaper);
    }

    /** How opening went: OK, KEPT_IN_MEMORY, or why not. */
    public Result status() {
        return status;
    }

    /** Who: from now on. An empty id goes back to the anonymous one. Blocks: never. */
    public Result identify(String userId, String... members) {
        String missing = members == null || members.length % 2 != 0 ? "identify: members are names and values in turn" : null;
        return identify(new Packet().text(userId).members(members), userId == null ? "identify: the id is null" : missing);
    }

    public Result identify(String userId, Map<String, String> members) {
        String missing = members == null ? "identify: the members are null" : null;
        return identify(new Packet().text(userId).members(members), userId == null ? "identify: the id is null" : missing);
    }

    /** Begins a sentence. Blocks: never. */
    public Event event() {
        return new Event(this);
    }

    /**
     * The six parts as one JSON object, for an app that has them so already:
     * {"user":{…},"location":"FEED"|{"screen":"FEED","y":"3"},"content":{"id":…},"referral":"…",
     * "action":{"type":…,"duration_ms":…},"at_unix_ms":…,"critical":true}. Blocks: as Event.track().
     */
    public Result trackJson(String json) {
        if (!enter()) return Result.AFTER_CLOSE;
        try {
            if (json == null) return new Result(Result.BAD_ARGUMENT, "trackJson: the text is null");
            Packet text = new Packet().json(json);
            return result(Native.trackJson(handle.tracker(), text.bytes(), text.size()));
        } finally {
            leave();
        }
    }

    /** Blocks: for a disk write; DENIED as erase(). */
    public Result consent(Consent consent) {
        if (!enter()) return Result.AFTER_CLOSE;
        try {
            if (consent == null) return new Result(Result.BAD_ARGUMENT, "consent: it is null");
            return result(Native.setConsent(handle.tracker(), consent.ordinal()));
        } finally {
            leave();
        }
    }

    /** Blocks: never. */
    public Consent consent() {
        if (!enter()) return ended.consent;
        try {
            return Consent.of(Native.consent(handle.tracker()));
        } finally {
            leave();
        }
    }

    /** Removes every sentence of the queue directory and begins anew with a new install id. Blocks: for a few disk writes. */
    public Result erase() {
        if (!enter()) return Result.AFTER_CLOSE;
        try {
            return result(Native.erase(handle.tracker()));
        } finally {
            leave();
        }
    }

    /** Delivers what is here now: OK, or STILL_WAITING. Blocks: up to the deadline. */
    public Result flush(long deadline, TimeUnit unit) {
        if (!enter()) return Result.AFTER_CLOSE;
        try {
            if (unit == null) return new Result(Result.BAD_ARGUMENT, "flush: the unit is null");
            return result(Native.flush(handle.tracker(), unit.toMillis(deadline)));
        } finally {
            leave();
        }
    }

    /** Blocks: never. */
    public Stats stats() {
        if (!enter()) return ended.stats;
        try {
            return readStats();
        } finally {
            leave();
        }
    }

    /**
     * For a host that opened with useThread(false): does what is due.
     *
     * <p>Threads: any, one at a time. Blocks: up to the budget, plus disk writes.
     *
     * @return the milliseconds until there is more to do; negative for nothing
     */
    public long work(long budget, TimeUnit unit) {
        if (unit == null || !enter()) return -1;
        try {
            return Native.work(handle.tracker(), unit.toMillis(budget));
        } finally {
            leave();
        }
    }

    /**
     * Brings everything to disk and ends; later calls are refused with CLOSED, but stats() still answer as the library
     * does. {@link #close()} gives the rest back. A second call answers as the first did. Blocks: up to the deadline,
     * plus disk writes.
     */
    public Result close(long deadline, TimeUnit unit) {
        if (!enter()) return ended.result;
        try {
            if (unit == null) return new Result(Result.BAD_ARGUMENT, "close: the unit is null");
            return result(Native.close(handle.tracker(), unit.toMillis(deadline)));
        } finally {
            leave();
        }
    }

    /** As close(2, SECONDS), and gives the native tracker back. Calls that still run end first. */
    @Override
    public void close() {
        if (!enter()) return;
        try {
            Result result = result(Native.close(handle.tracker(), CLOSE_DEADLINE_MS));
            ended = new Ended(result, readStats(), Consent.of(Native.consent(handle.tracker())));
            giveBack.run();
        } finally {
            leave();
        }
    }

    /** The message of this tracker's last call that was not OK, on any thread. Blocks: never. */
    public String lastError() {
        if (!enter()) return Result.AFTER_CLOSE.message();
        try {
            return Yukha.text(Native.lastError(handle.tracker()));
        } finally {
            leave();
        }
    }

    Result track(Packet packet) {
        if (!enter()) return Result.AFTER_CLOSE;
        try {
            return result(Native.track(handle.tracker(), packet.bytes(), packet.size()));
        } finally {
            leave();
        }
    }

    private Result identify(Packet packet, String missing) {
        if (!enter()) return Result.AFTER_CLOSE;
        try {
            Result result = result(Native.identify(handle.tracker(), packet.bytes(), packet.size()));
            return result.code() == Result.BAD_ARGUMENT && missing != null ? new Result(result.code(), missing) : result;
        } finally {
            leave();
        }
    }

    private Stats readStats() {
        long[] numbers = new long[Stats.NUMBERS];
        Native.stats(handle.tracker(), numbers);
        return new Stats(numbers);
    }

    private Result result(int code) {
        return result(code, handle.tracker());
    }

    private static Result result(int code, long tracker) {
        return code == Result.OK ? Result.DONE : new Result(code, Yukha.text(Native.lastError(tracker)));
    }

    /** False when the native tracker was given back; `ended` is set then. Otherwise leave() must follow. */
    private boolean enter() {
        if (!handle.enter()) return false;
        if (ended == null) return true;
        handle.leave();
        return false;
    }

    private void leave() {
        handle.leave();
        // What Reference.reachabilityFence does, which Java 8 does not have: after this write to the tracker, and not
        // before, it may be found unreachable. Otherwise Tracker.open(…).flush(…) could be closed while it flushes.
        keptReachable = true;
    }
}
