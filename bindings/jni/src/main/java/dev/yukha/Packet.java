package dev.yukha;

import java.util.Arrays;
import java.util.Map;

/**
 * What one crossing into the native library carries: words and their texts in a row, read again by yukha_jni.cpp.
 *
 * <p>Numbers are little-endian. A text is its size in four bytes, its UTF-8 and a NUL; a null is the size -1 alone.
 * Members are their count in four bytes, then name and value of each; a null list is the count -1.
 */
final class Packet {
    static final int LOCATION = 1;
    static final int CONTENT = 2;
    static final int REFERRAL = 3;
    static final int ACTION = 4;
    static final int USER = 5;
    static final int DEVICE = 6;
    static final int AT = 7;
    static final int CRITICAL = 8;

    /** What yukha.h takes for no duration. */
    static final long NO_DURATION = -1;

    /**
     * No text of a sentence may be longer than 32 KiB, no JSON than 64 KiB. A longer one is cut here, still too long and
     * refused as such, so that a text of any size costs no more than this.
     */
    static final int TEXT_CHARS_MAX = 64 * 1024 + 1;

    private static final int NONE = -1;

    private byte[] bytes = new byte[256];
    private int size;

    byte[] bytes() {
        return bytes;
    }

    int size() {
        return size;
    }

    Packet word(int word) {
        room(1);
        bytes[size++] = (byte) word;
        return this;
    }

    Packet number(int value) {
        room(4);
        putNumber(size, value);
        size += 4;
        return this;
    }

    Packet wide(long value) {
        return number((int) value).number((int) (value >>> 32));
    }

    Packet text(String text) {
        return text(text, false);
    }

    Packet members(Map<String, String> members) {
        if (members == null) return number(NONE);
        int counted = size;
        number(0);
        int count = 0;
        for (Map.Entry<String, String> member : members.entrySet()) {
            member(member.getKey(), member.getValue());
            ++count;
        }
        // Counted, because a map that another thread changes may have said another number.
        putNumber(counted, count);
        return this;
    }

    /** @param members name and value in turn; an odd number of them is as null */
    Packet members(String[] members) {
        if (members == null || members.length % 2 != 0) return number(NONE);
        number(members.length / 2);
        for (int i = 0; i < members.length; i += 2) member(members[i], members[i + 1]);
        return this;
    }

    /** The text alone, without size and NUL. */
    Packet json(String json) {
        encode(json, false);
        return this;
    }

    /**
     * As a C text that ends with NUL, for which yukha.h has no size: a NUL inside would cut it and make another text of
     * it, so it becomes U+FFFD.
     */
    Packet terminated(String text) {
        return text(text, true);
    }

    private void member(String name, String value) {
        terminated(name);
        text(value);
    }

    private Packet text(String text, boolean replaceNul) {
        if (text == null) return number(NONE);
        int sized = size;
        number(0);
        encode(text, replaceNul);
        putNumber(sized, size - sized - 4);
        return word(0);
    }

    /** UTF-8, each lone surrogate as U+FFFD. String.getBytes would make a question mark of it. */
    private void encode(String text, boolean replaceNul) {
        int chars = Math.min(text.length(), TEXT_CHARS_MAX);
        room(3 * chars + 1);  // no char takes more than three, but a pair across the cut takes four
        byte[] to = bytes;
        int at = size;
        for (int i = 0; i < chars; ++i) {
            int c = text.charAt(i);
            if (c == 0 && replaceNul) c = 0xFFFD;
            if (c < 0x80) {
                to[at++] = (byte) c;
                continue;
            }
            if (c < 0x800) {
                to[at++] = (byte) (0xC0 | c >> 6);
                to[at++] = (byte) (0x80 | c & 0x3F);
                continue;
            }
            if (Character.isSurrogate((char) c)) {
                int pair = Character.codePointAt(text, i);
                if (Character.isSupplementaryCodePoint(pair)) {
                    ++i;
                    to[at++] = (byte) (0xF0 | pair >> 18);
                    to[at++] = (byte) (0x80 | pair >> 12 & 0x3F);
                    to[at++] = (byte) (0x80 | pair >> 6 & 0x3F);
                    to[at++] = (byte) (0x80 | pair & 0x3F);
                    continue;
                }
                c = 0xFFFD;
            }
            to[at++] = (byte) (0xE0 | c >> 12);
            to[at++] = (byte) (0x80 | c >> 6 & 0x3F);
            to[at++] = (byte) (0x80 | c & 0x3F);
        }
        size = at;
    }

    private void room(int more) {
        if (bytes.length - size < more) bytes = Arrays.copyOf(bytes, Math.max(bytes.length * 2, size + more));
    }

    private void putNumber(int at, int value) {
        for (int i = 0; i < 4; ++i) bytes[at + i] = (byte) (value >>> 8 * i);
    }
}
