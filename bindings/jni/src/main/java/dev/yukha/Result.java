package dev.yukha;

/** What a call answers: a code, and a sentence for the person who must act. The codes are those of yukha.h. */
public final class Result {
    /** Done; for track(): kept on the device, a killed process loses nothing. */
    public static final int OK = 0;
    /** Kept, but the queue directory could not be used: lost when the process ends. */
    public static final int KEPT_IN_MEMORY = 1;
    /** flush: the deadline came first; what waits is safe and is sent later. */
    public static final int STILL_WAITING = 2;
    /** close: a running request was cancelled at the deadline; its batch is sent again. */
    public static final int CUT_SHORT = 3;
    /** A timed event that was seen for less than its minimum; nothing was tracked. */
    public static final int TOO_SHORT = 4;
    /** The user is outside of the sample; nothing was kept. */
    public static final int SAMPLED_OUT = 5;
    /** The endpoint asks not to keep it; nothing was kept. */
    public static final int STOPPED_BY_POLICY = 6;
    public static final int RING_FULL = -1;
    public static final int CLOSED = -2;
    public static final int NOT_OPEN = -3;
    public static final int CONSENT_DENIED = -4;
    public static final int FORKED_CHILD = -5;
    public static final int SENTENCE_TOO_LARGE = -6;
    public static final int BAD_MEMBER_NAME = -7;
    public static final int RESERVED_MEMBER = -8;
    public static final int REPEATED_MEMBER = -9;
    public static final int MISSING_ACTION = -10;
    public static final int BAD_TIME = -11;
    public static final int ALREADY_TRACKED = -12;
    public static final int NOT_A_SENTENCE = -13;
    public static final int TOO_MANY_MEMBERS = -14;
    public static final int TOO_MANY_TIMED_EVENTS = -15;
    public static final int BAD_CONFIG = -20;
    public static final int BAD_KEY = -21;
    public static final int BAD_ENDPOINT = -22;
    public static final int PLAIN_HTTP = -23;
    public static final int BAD_ARGUMENT = -24;
    public static final int LANE_HELD = -30;
    public static final int NO_FREE_LANE = -31;
    public static final int NEWER_FORMAT = -32;
    public static final int DISK_FULL = -33;
    public static final int DISK_ERROR = -34;
    public static final int OUT_OF_MEMORY = -35;
    public static final int NO_RANDOMNESS = -36;

    static final Result DONE = new Result(OK, "done");
    static final Result AFTER_CLOSE = new Result(CLOSED, "the tracker was closed");

    private final int code;
    private final String message;

    Result(int code, String message) {
        this.code = code;
        this.message = message;
    }

    public int code() {
        return code;
    }

    /** The code's name in yukha.h, for example "ring_full". */
    public String name() {
        return Yukha.text(Native.resultName(code));
    }

    /**
     * What happened and what to do about it. When several threads are refused by one tracker at the same moment, it may
     * be another one's; the code never is.
     */
    public String message() {
        return message;
    }

    /** The call did its work: a code of 0 or above. */
    public boolean good() {
        return code >= 0;
    }

    /** track() kept the sentence where a killed process cannot lose it. */
    public boolean kept() {
        return code == OK;
    }

    @Override
    public String toString() {
        return name() + ": " + message;
    }
}
