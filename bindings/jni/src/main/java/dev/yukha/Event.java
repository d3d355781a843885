package dev.yukha;

import java.util.Map;
import java.util.concurrent.TimeUnit;

/**
 * An event in the making, which becomes a sentence. Its parts are given in any order, each at most once; only the
 * action is required. Members are further facts about a part, as names and values in turn or as a map. The first
 * mistake is remembered and answered by {@link #track}.
 *
 * <p>Threads: one at a time for each event. Blocks: never, but for track().
 */
public final class Event {
    private final Tracker tracker;
    private final Packet packet = new Packet();
    private String missing;  // the first null, in words
    private boolean tracked;

    Event(Tracker tracker) {
        this.tracker = tracker;
    }

    /** Where: a screen with parameters, or a URL. */
    public Event location(String screen, String... parameters) {
        return word(Packet.LOCATION).text("location: the screen", screen).members("location", parameters);
    }

    public Event location(String screen, Map<String, String> parameters) {
        return word(Packet.LOCATION).text("location: the screen", screen).members("location", parameters);
    }

    /** What it was about. */
    public Event content(String id, String... members) {
        return word(Packet.CONTENT).text("content: the id", id).members("content", members);
    }

    public Event content(String id, Map<String, String> members) {
        return word(Packet.CONTENT).text("content: the id", id).members("content", members);
    }

    /** What led here: CLICK, PUSH, a URL. */
    public Event referral(String origin) {
        return word(Packet.REFERRAL).text("referral: the origin", origin);
    }

    /** What the user did. */
    public Event action(String type, String... members) {
        return action(type, Packet.NO_DURATION).members("action", members);
    }

    public Event action(String type, Map<String, String> members) {
        return action(type, Packet.NO_DURATION).members("action", members);
    }

    /** The same with how long it took, to the millisecond. */
    public Event action(String type, long duration, TimeUnit unit, String... members) {
        return timed(type, duration, unit).members("action", members);
    }

    public Event action(String type, long duration, TimeUnit unit, Map<String, String> members) {
        return timed(type, duration, unit).members("action", members);
    }

    /** More members of the user, for this sentence alone. */
    public Event user(String... members) {
        return word(Packet.USER).members("user", members);
    }

    public Event user(Map<String, String> members) {
        return word(Packet.USER).members("user", members);
    }

    /** More members of the device, for this sentence alone. */
    public Event device(String... members) {
        return word(Packet.DEVICE).members("device", members);
    }

    public Event device(Map<String, String> members) {
        return word(Packet.DEVICE).members("device", members);
    }

    /** When, if not now: milliseconds since 1970, as System.currentTimeMillis() has them. */
    public Event at(long unixMs) {
        packet.word(Packet.AT).wide(unixMs);
        return this;
    }

    /** Sent before and evicted after the ordinary ones. */
    public Event critical() {
        return word(Packet.CRITICAL);
    }

    /**
     * Ends the sentence and keeps it: {@link Result#OK}, {@link Result#KEPT_IN_MEMORY}, or why not.
     *
     * <p>Threads: one for this event, any for its tracker. Blocks: never, or up to Config.ringFullWait.
     */
    public Result track() {
        if (tracked) {
            return new Result(Result.ALREADY_TRACKED, "this sentence was tracked already; begin another with event()");
        }
        tracked = true;
        Result result = tracker.track(packet);
        if (result.code() != Result.BAD_ARGUMENT || missing == null) return result;
        return new Result(Result.BAD_ARGUMENT, missing);
    }

    private Event action(String type, long durationMs) {
        word(Packet.ACTION).text("action: the type", type);
        packet.wide(durationMs);
        return this;
    }

    private Event timed(String type, long duration, TimeUnit unit) {
        if (unit != null) return action(type, unit.toMillis(duration));
        miss("action: the unit is null");
        return action(null, Packet.NO_DURATION);  // yukha.h knows no unit; a missing type is refused alike
    }

    private Event word(int word) {
        packet.word(word);
        return this;
    }

    private Event text(String what, String text) {
        if (text == null) miss(what + " is null");
        packet.text(text);
        return this;
    }

    private Event members(String part, String[] members) {
        if (members == null) {
            miss(part + ": the members are null");
        } else if (members.length % 2 != 0) {
            miss(part + ": members are names and values in turn, and the last name has no value");
        }
        packet.members(members);
        return this;
    }

    private Event members(String part, Map<String, String> members) {
        if (members == null) miss(part + ": the members are null");
        packet.members(members);
        return this;
    }

    private void miss(String what) {
        if (missing == null) missing = what;
    }
}
