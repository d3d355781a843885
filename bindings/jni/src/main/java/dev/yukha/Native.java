package dev.yukha;

/** The functions of yukha_jni.cpp. A tracker is its address; 0 is none. */
final class Native {
    private Native() {}

    static {
        System.loadLibrary("yukha_jni");
    }

    /** @param result an int[1] for how it went */
    static native long open(byte[] packet, int size, int[] result);

    static native void free(long tracker);

    static native int identify(long tracker, byte[] packet, int size);

    static native int track(long tracker, byte[] packet, int size);

    static native int trackJson(long tracker, byte[] json, int size);

    static native int setConsent(long tracker, int consent);

    static native int consent(long tracker);

    static native int erase(long tracker);

    static native int flush(long tracker, long deadlineMs);

    static native long work(long tracker, long budgetMs);

    static native int close(long tracker, long deadlineMs);

    /** @param into as many as {@link Stats} reads */
    static native int stats(long tracker, long[] into);

    /** UTF-8, or null without memory. */
    static native byte[] lastError(long tracker);

    /** UTF-8, or null without memory. */
    static native byte[] resultName(int result);

    /** UTF-8, or null without memory. */
    static native byte[] version();
}
