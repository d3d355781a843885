package dev.yukha;

import java.nio.charset.StandardCharsets;

/** The library itself. */
public final class Yukha {
    private Yukha() {}

    /** The version of the native library, for example "1.0.0". Threads: any. Blocks: never. */
    public static String version() {
        return text(Native.version());
    }

    /** The native library's UTF-8 as a String; "" where it had no memory for it. */
    static String text(byte[] utf8) {
        return utf8 == null ? "" : new String(utf8, StandardCharsets.UTF_8);
    }
}
