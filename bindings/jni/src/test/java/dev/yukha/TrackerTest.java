package dev.yukha;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

@Timeout(120)
class TrackerTest {
    private static final String KEY_SECRET = "c2l4dGVlbiBieXRlcyBvciBtb3JlLCBwbGVhc2U=";
    private static final String TEN_MEGABYTES = new String(new char[10_000_000]).replace('\0', 'x');

    @TempDir
    Path directory;

    private Config config() {
        return new Config("shop", directory.toString());
    }

    private static Config to(Endpoint endpoint, Config config) {
        return config.endpoint(endpoint.url()).key("app-2026-11", KEY_SECRET).uploadInterval(100, TimeUnit.MILLISECONDS);
    }

    private static void assertCode(int code, Result result) {
        assertEquals(code, result.code(), result.toString());
        assertNotEquals("", result.message());
    }

    private static String without(String line, String... parts) {
        for (String part : parts) line = line.replaceAll("\"" + part + "\":\"[^\"]*\",?", "");
        return line;
    }

    // --- the verbs ---

    @Test
    @DisplayName("every verb arrives in its place")
    void everyVerb() throws Exception {
        try (Endpoint endpoint = new Endpoint(); Tracker tracker = Tracker.open(to(endpoint, config().appVersion("3.2")
                .os("Android 14").model("Pixel 8").locale("ko-KR")))) {
            assertCode(Result.OK, tracker.status());
            assertCode(Result.OK, tracker.identify("u_1842", "session", "7"));
            assertCode(Result.OK, tracker.event()
                    .location("FEED", "y", "3")
                    .content("card_913", Collections.singletonMap("type", "card"))
                    .referral("CLICK")
                    .action("READ", 10, TimeUnit.SECONDS, "depth", "0.8")
                    .user(Collections.singletonMap("experiment_checkout", "B"))
                    .device("theme", "dark")
                    .at(1779421920123L)
                    .critical()
                    .track());
            assertCode(Result.OK, tracker.trackJson("{\"action\":{\"type\":\"READ\",\"duration_ms\":10}}"));
            assertCode(Result.OK, tracker.flush(10, TimeUnit.SECONDS));
            List<String> lines = endpoint.lines();
            assertEquals(2, lines.size());
            String first = lines.get(0).contains("card_913") ? lines.get(0) : lines.get(1);
            assertEquals("{\"time\":\"2026-05-22T03:52:00.123Z\",\"user\":{\"id\":\"u_1842\",\"session\":\"7\","
                    + "\"experiment_checkout\":\"B\"}", without(first.substring(0, first.indexOf(",\"device\"")), "id")
                    .replace("\"user\":{", "\"user\":{\"id\":\"u_1842\","));
            assertTrue(first.contains("\"os\":\"Android 14\",\"model\":\"Pixel 8\",\"app_version\":\"3.2\","
                    + "\"locale\":\"ko-KR\""), first);
            assertTrue(first.contains("\"theme\":\"dark\""), first);
            assertTrue(first.endsWith("\"location\":\"app://shop/FEED?y=3\",\"content\":{\"id\":\"card_913\","
                    + "\"type\":\"card\"},\"referral\":\"CLICK\",\"action\":{\"type\":\"READ\",\"duration_ms\":\"10000\","
                    + "\"depth\":\"0.8\"}}"), first);
            Stats stats = tracker.stats();
            assertEquals(2, stats.accepted, stats.toString());
            assertEquals(2, stats.delivered, stats.toString());
            assertEquals(0, stats.waiting + stats.refused + stats.lost, stats.toString());
            assertTrue(stats.requests >= 1);
        }
    }

    @Test
    @DisplayName("consent is kept for the next tracker, and denied keeps nothing")
    void consent() {
        try (Tracker tracker = Tracker.open(config())) {
            assertEquals(Consent.GRANTED, tracker.consent());
            for (Consent consent : Consent.values()) {
                assertCode(Result.OK, tracker.consent(consent));
                assertEquals(consent, tracker.consent());
            }
            assertCode(Result.CONSENT_DENIED, tracker.event().action("READ").track());
            assertEquals(1, tracker.stats().refusedConsent);
        }
        try (Tracker tracker = Tracker.open(config())) {
            assertEquals(Consent.DENIED, tracker.consent());
        }
    }

    @Test
    @DisplayName("erase removes what waits, and says how many")
    void erase() {
        try (Tracker tracker = Tracker.open(config())) {
            for (int i = 0; i < 3; ++i) assertCode(Result.OK, tracker.event().action("READ").track());
            assertCode(Result.OK, tracker.erase());
            assertEquals(3, tracker.stats().erased);
            assertEquals(0, tracker.stats().waiting);
        }
    }

    @Test
    @DisplayName("what was not delivered waits for the next tracker")
    void waits() throws Exception {
        try (Tracker tracker = Tracker.open(config())) {
            assertCode(Result.OK, tracker.event().content("first").action("READ").track());
            assertCode(Result.OK, tracker.close(2, TimeUnit.SECONDS));
        }
        try (Endpoint endpoint = new Endpoint(); Tracker tracker = Tracker.open(to(endpoint, config()))) {
            assertCode(Result.OK, tracker.flush(10, TimeUnit.SECONDS));
            assertEquals(1, endpoint.lines().size());
        }
    }

    @Test
    @DisplayName("a host without a thread to spare does the work itself")
    void work() throws Exception {
        try (Endpoint endpoint = new Endpoint(); Tracker tracker = Tracker.open(to(endpoint, config()).useThread(false))) {
            assertCode(Result.OK, tracker.event().action("READ").track());
            long until = System.nanoTime() + TimeUnit.SECONDS.toNanos(20);
            while (endpoint.lines().isEmpty() && System.nanoTime() < until) {
                tracker.work(50, TimeUnit.MILLISECONDS);
            }
            assertEquals(1, endpoint.lines().size());
        }
    }

    @Test
    @DisplayName("a result has a code, a name and a sentence")
    void result() {
        try (Tracker tracker = Tracker.open(config())) {
            Result refused = tracker.event().content("x", "No", "1").action("READ").track();
            assertEquals("bad_member_name", refused.name());
            assertTrue(refused.message().contains("content.No"), refused.message());
            assertEquals(refused.message(), tracker.lastError());
            assertFalse(refused.good());
            assertFalse(refused.kept());
            assertEquals("bad_member_name: " + refused.message(), refused.toString());
        }
        assertTrue(Yukha.version().matches("\\d+\\.\\d+\\.\\d+"), Yukha.version());
    }

    @Test
    @DisplayName("a directory that cannot be used is said, and sentences are kept in memory")
    void inMemory() throws Exception {
        Path file = Files.write(directory.resolve("file"), new byte[] {1});
        try (Tracker tracker = Tracker.open(new Config("shop", file.toString()))) {
            assertCode(Result.KEPT_IN_MEMORY, tracker.status());
            Result result = tracker.event().action("READ").track();
            assertCode(Result.KEPT_IN_MEMORY, result);
            assertTrue(result.good());
            assertFalse(result.kept());
        }
    }

    // --- texts ---

    @Test
    @DisplayName("emoji, NUL, Korean and lone surrogates arrive: each lone surrogate as U+FFFD")
    void texts() throws Exception {
        Map<String, String> texts = new TreeMap<>();
        texts.put("emoji", "👩‍👩‍👧 ☕");
        texts.put("korean", "육하 六何");
        texts.put("high", "a\uD83Db");
        texts.put("low", "a\uDE00b");
        texts.put("two_high", "\uD83D\uD83D\uDE00");
        texts.put("swapped", "\uDE00\uD83D");
        texts.put("last", "end\uD83D");
        texts.put("bmp", "\u007F\u0080\u07FF\u0800\uD7FF\uE000\uFFFE\uFFFF");
        texts.put("empty", "");
        texts.put("null_inside", "a\0b");
        texts.put("null_alone", "\0");
        try (Endpoint endpoint = new Endpoint(); Tracker tracker = Tracker.open(to(endpoint, config()))) {
            assertCode(Result.OK, tracker.event().location("피드 ☕", "검색", "커피").content("", texts)
                    .referral("a\0\uD83D\uDE00").action("READ").track());
            assertCode(Result.OK, tracker.flush(10, TimeUnit.SECONDS));
            String line = endpoint.lines().get(0);
            Map<String, String> arrived = new HashMap<>(texts);
            arrived.put("high", "a\uFFFDb");
            arrived.put("low", "a\uFFFDb");
            arrived.put("two_high", "\uFFFD\uD83D\uDE00");
            arrived.put("swapped", "\uFFFD\uFFFD");
            arrived.put("last", "end\uFFFD");
            arrived.put("null_inside", "a\\u0000b");
            arrived.put("null_alone", "\\u0000");
            for (Map.Entry<String, String> text : arrived.entrySet()) {
                String member = "\"" + text.getKey() + "\":\"" + text.getValue() + "\"";
                assertTrue(line.contains(member) || line.contains(member.replace("\u007F", "\\u007f")),
                        member + " is not in " + line);
            }
            assertTrue(line.contains("\"referral\":\"a\\u0000\uD83D\uDE00\""), line);
            assertTrue(line.contains("\"location\":\"app://shop/%ED%94%BC%EB%93%9C%20%E2%98%95?%EA%B2%80%EC%83%89="
                    + "%EC%BB%A4%ED%94%BC\""), line);
        }
    }

    @Test
    @DisplayName("every char, and every pair of kinds of chars, becomes the UTF-8 that the rule says")
    void encoder() {
        for (int c = 0; c <= 0xFFFF; ++c) {
            assertUtf8(String.valueOf((char) c));
            assertUtf8("\uD83D" + (char) c);
            assertUtf8((char) c + "\uDE00");
        }
    }

    private static void assertUtf8(String text) {
        Packet packet = new Packet().json(text);
        // The JDK's own encoder with the replacement that is ours.
        StringBuilder well = new StringBuilder();
        for (int i = 0; i < text.length(); ) {
            int point = text.codePointAt(i);
            i += Character.charCount(point);
            well.appendCodePoint(point >= 0xD800 && point <= 0xDFFF ? 0xFFFD : point);
        }
        byte[] expected = well.toString().getBytes(StandardCharsets.UTF_8);
        if (!Arrays.equals(expected, Arrays.copyOf(packet.bytes(), packet.size()))) {
            throw new AssertionError(Integer.toHexString(text.charAt(0)) + " is encoded as "
                    + Arrays.toString(Arrays.copyOf(packet.bytes(), packet.size())));
        }
    }

    @Test
    @DisplayName("a text that is cut in the middle of a pair stays within its room")
    void cutPair() {
        char[] wide = new char[Packet.TEXT_CHARS_MAX + 1];
        Arrays.fill(wide, '육');
        wide[Packet.TEXT_CHARS_MAX - 1] = '\uD83D';
        wide[Packet.TEXT_CHARS_MAX] = '\uDE00';
        assertEquals(3 * (Packet.TEXT_CHARS_MAX - 1) + 4, new Packet().json(new String(wide)).size());
    }

    @Test
    @DisplayName("NUL in a member's name does not cut it into another name")
    void nulInName() {
        try (Tracker tracker = Tracker.open(config())) {
            assertCode(Result.BAD_MEMBER_NAME, tracker.event().content("x", "price\0d", "1").action("READ").track());
            assertCode(Result.BAD_MEMBER_NAME, tracker.identify("u", "a\0", "1"));
        }
        assertCode(Result.BAD_CONFIG, Tracker.open(new Config("shop", directory + "\0x")).status());
        assertCode(Result.BAD_CONFIG, Tracker.open(new Config("sh\0op", directory.toString())).status());
    }

    // --- bad input ---

    @Test
    @DisplayName("null anywhere is refused by its name, and nothing is kept")
    void nulls() {
        String none = null;
        String[] noMembers = null;
        Map<String, String> noMap = null;
        Map<String, String> nullName = Collections.singletonMap(null, "x");
        Map<String, String> nullValue = Collections.singletonMap("x", null);
        try (Tracker tracker = Tracker.open(config())) {
            List<Event> sentences = new ArrayList<>(Arrays.asList(
                    tracker.event().location(none), tracker.event().location("F", noMembers),
                    tracker.event().location("F", noMap), tracker.event().location("F", nullName),
                    tracker.event().location("F", nullValue), tracker.event().content(none),
                    tracker.event().content("c", noMembers), tracker.event().content("c", noMap),
                    tracker.event().content("c", nullName), tracker.event().content("c", "x", null),
                    tracker.event().content("c", "odd"), tracker.event().referral(none),
                    tracker.event().user(noMap), tracker.event().user(noMembers), tracker.event().user(nullValue),
                    tracker.event().device(noMap), tracker.event().device(noMembers), tracker.event().device(null, "x")));
            for (Event sentence : sentences) sentence.action("READ");
            sentences.add(tracker.event().action(none));
            sentences.add(tracker.event().action("READ", noMembers));
            sentences.add(tracker.event().action("READ", noMap));
            sentences.add(tracker.event().action("READ", 1, null));
            sentences.add(tracker.event().action("READ", 1, null, noMap));
            for (Event sentence : sentences) assertCode(Result.BAD_ARGUMENT, sentence.track());
            assertEquals("content: the id is null", tracker.event().content(none).action("READ").track().message());

            assertCode(Result.BAD_ARGUMENT, tracker.identify(none));
            assertCode(Result.BAD_ARGUMENT, tracker.identify("u", noMembers));
            assertCode(Result.BAD_ARGUMENT, tracker.identify("u", noMap));
            assertCode(Result.BAD_ARGUMENT, tracker.identify("u", nullName));
            assertCode(Result.BAD_ARGUMENT, tracker.identify("u", "odd"));
            assertCode(Result.BAD_ARGUMENT, tracker.trackJson(null));
            assertCode(Result.BAD_ARGUMENT, tracker.consent(null));
            assertCode(Result.BAD_ARGUMENT, tracker.flush(1, null));
            assertCode(Result.BAD_ARGUMENT, tracker.close(1, null));
            assertEquals(-1, tracker.work(1, null));
            assertEquals(0, tracker.stats().accepted);
            assertEquals(sentences.size() + 1, tracker.stats().refusedInvalid);
        }
        try (Tracker tracker = Tracker.open(null)) {
            assertCode(Result.BAD_ARGUMENT, tracker.status());
            assertCode(Result.NOT_OPEN, tracker.event().action("READ").track());
        }
        assertCode(Result.BAD_CONFIG, Tracker.open(new Config(null, null)).status());
        assertCode(Result.OK, Tracker.open(config().lane(null).endpoint(null).key(null, null).os(null)).status());
    }

    @Test
    @DisplayName("a closed tracker and denied consent answer before a null does")
    void closedBeforeNull() {
        try (Tracker tracker = Tracker.open(config())) {
            assertCode(Result.OK, tracker.consent(Consent.DENIED));
            assertCode(Result.CONSENT_DENIED, tracker.event().content((String) null).action("READ").track());
            assertCode(Result.OK, tracker.close(2, TimeUnit.SECONDS));
            assertCode(Result.CLOSED, tracker.event().content((String) null).action("READ").track());
        }
    }

    @Test
    @DisplayName("empty texts are texts: only an action needs words")
    void empty() {
        try (Tracker tracker = Tracker.open(config())) {
            assertCode(Result.OK, tracker.event().location("").content("").referral("").action("READ").track());
            assertCode(Result.OK, tracker.event().content("", "x", "").user().action("READ", "y", "").track());
            assertCode(Result.MISSING_ACTION, tracker.event().action("").track());
            assertCode(Result.MISSING_ACTION, tracker.event().track());
            assertCode(Result.BAD_MEMBER_NAME, tracker.event().content("", "", "").action("READ").track());
            assertCode(Result.OK, tracker.identify(""));
            assertCode(Result.NOT_A_SENTENCE, tracker.trackJson(""));
            assertCode(Result.BAD_CONFIG, Tracker.open(new Config("", "")).status());
        }
    }

    @Test
    @DisplayName("ten megabytes are refused in every place, and the tracker goes on")
    void tenMegabytes() {
        try (Tracker tracker = Tracker.open(config())) {
            assertCode(Result.SENTENCE_TOO_LARGE, tracker.event().location(TEN_MEGABYTES).action("READ").track());
            assertCode(Result.SENTENCE_TOO_LARGE, tracker.event().content(TEN_MEGABYTES).action("READ").track());
            assertCode(Result.SENTENCE_TOO_LARGE, tracker.event().referral(TEN_MEGABYTES).action("READ").track());
            assertCode(Result.SENTENCE_TOO_LARGE, tracker.event().action(TEN_MEGABYTES).track());
            assertCode(Result.SENTENCE_TOO_LARGE, tracker.event().action("READ", "x", TEN_MEGABYTES).track());
            assertCode(Result.BAD_MEMBER_NAME, tracker.event().action("READ", TEN_MEGABYTES, "x").track());
            assertCode(Result.TOO_MANY_MEMBERS, tracker.identify(TEN_MEGABYTES));
            assertCode(Result.TOO_MANY_MEMBERS, tracker.identify("u", "x", TEN_MEGABYTES));
            assertCode(Result.SENTENCE_TOO_LARGE, tracker.trackJson(TEN_MEGABYTES));
            Map<String, String> members = new HashMap<>();
            for (int i = 0; i < 5000; ++i) members.put("m" + i, "");
            Result many = tracker.event().content("x", members).action("READ").track();
            assertCode(Result.SENTENCE_TOO_LARGE, many);
            assertFalse(many.message().contains("time"), many.message());
            assertCode(Result.OK, tracker.event().action("READ").track());
            assertEquals(1, tracker.stats().accepted);
        }
        for (Config config : Arrays.asList(new Config(TEN_MEGABYTES, directory.toString()),
                new Config("shop", TEN_MEGABYTES), config().lane(TEN_MEGABYTES), config().endpoint(TEN_MEGABYTES),
                config().endpoint("http://127.0.0.1").key(TEN_MEGABYTES, TEN_MEGABYTES), config().os(TEN_MEGABYTES))) {
            try (Tracker tracker = Tracker.open(config)) {
                assertFalse(tracker.status().good(), tracker.status().toString());
            }
        }
    }

    @Test
    @DisplayName("a setting out of its range is refused and named, however far out")
    void ranges() {
        Map<String, Config> configs = new TreeMap<>();
        configs.put("upload_interval", config().uploadInterval(-1, TimeUnit.SECONDS));
        configs.put("upload_interval ", config().uploadInterval(Long.MAX_VALUE, TimeUnit.DAYS));
        configs.put("upload_interval  ", config().uploadInterval(1, TimeUnit.NANOSECONDS));
        configs.put("sync_interval", config().syncInterval(1L << 32, TimeUnit.MILLISECONDS));
        configs.put("ring_full_wait", config().ringFullWait(1, null));
        configs.put("age_max", config().ageMaxHours(Long.MIN_VALUE));
        configs.put("ring_bytes", config().ringBytes(-1));
        configs.put("queue_bytes_max", config().queueBytesMax(1));
        for (Map.Entry<String, Config> setting : configs.entrySet()) {
            try (Tracker tracker = Tracker.open(setting.getValue())) {
                assertCode(Result.BAD_CONFIG, tracker.status());
                assertTrue(tracker.status().message().startsWith(setting.getKey().trim()), tracker.status().message());
            }
        }
        assertCode(Result.BAD_KEY, Tracker.open(config().key("id", "?")).status());
        assertCode(Result.BAD_ENDPOINT, Tracker.open(config().endpoint("ftp://x")).status());
        assertCode(Result.PLAIN_HTTP, Tracker.open(config().endpoint("http://example.com")).status());
    }

    @Test
    @DisplayName("Android waits longer before it syncs")
    void android() {
        assertEquals(5000, Config.defaultSyncIntervalMs("Dalvik"));
        assertEquals(0, Config.defaultSyncIntervalMs("OpenJDK 64-Bit Server VM"));
        assertEquals(0, Config.defaultSyncIntervalMs(null));
    }

    @Test
    @DisplayName("a packet that was cut or changed at any byte is refused or kept, and never read past its end")
    void brokenPackets() {
        Packet good = new Packet().word(Packet.CONTENT).text("id").members(new String[] {"x", "1"});
        good.word(Packet.ACTION).text("READ").wide(5).members(new String[0]);
        int[] result = {0};
        Packet config = config().packet();
        long tracker = Native.open(config.bytes(), config.size(), result);
        assertEquals(Result.OK, result[0]);
        for (int size = 0; size < good.size(); ++size) {
            Native.track(tracker, Arrays.copyOf(good.bytes(), size), size);
            Native.identify(tracker, Arrays.copyOf(good.bytes(), size), size);
        }
        for (int at = 0; at < good.size(); ++at) {
            for (int value : new int[] {0, 1, 9, 0x7F, 0x80, 0xFF}) {
                byte[] bytes = Arrays.copyOf(good.bytes(), good.size());
                bytes[at] = (byte) value;
                Native.track(tracker, bytes, bytes.length);
                Native.identify(tracker, bytes, bytes.length);
            }
        }
        for (int size : new int[] {-1, Integer.MIN_VALUE, Integer.MAX_VALUE, 3}) {
            assertEquals(Result.BAD_ARGUMENT, Native.track(tracker, new byte[2], size));
            assertEquals(Result.BAD_ARGUMENT, Native.identify(tracker, new byte[2], size));
            assertEquals(Result.BAD_ARGUMENT, Native.trackJson(tracker, new byte[2], size));
        }
        assertEquals(Result.BAD_ARGUMENT, Native.track(tracker, null, 0));
        Native.free(tracker);
        for (int size = 0; size < config.size(); ++size) {
            long cut = Native.open(Arrays.copyOf(config.bytes(), size), size, result);
            assertEquals(Result.BAD_ARGUMENT, result[0]);
            Native.free(cut);
        }
    }

    @Test
    @DisplayName("a sentence is tracked once")
    void trackedOnce() {
        try (Tracker tracker = Tracker.open(config())) {
            Event sentence = tracker.event().action("READ");
            assertCode(Result.OK, sentence.track());
            assertCode(Result.ALREADY_TRACKED, sentence.action("READ").track());
            assertEquals(1, tracker.stats().accepted);
        }
    }

    // --- the end ---

    private static void assertAllClosed(Tracker tracker, Event begunBefore) {
        assertCode(Result.CLOSED, begunBefore.action("READ").track());
        assertCode(Result.CLOSED, tracker.event().action("READ").track());
        assertCode(Result.CLOSED, tracker.identify("u"));
        assertCode(Result.CLOSED, tracker.trackJson("{\"action\":{\"type\":\"READ\"}}"));
        assertCode(Result.CLOSED, tracker.consent(Consent.PENDING));
        assertCode(Result.CLOSED, tracker.erase());
        assertCode(Result.CLOSED, tracker.flush(1, TimeUnit.SECONDS));
        assertTrue(tracker.work(1, TimeUnit.MILLISECONDS) < 0);
        assertEquals(1, tracker.stats().accepted);
        assertEquals(Consent.GRANTED, tracker.consent());
        assertNotNull(tracker.lastError());
        assertCode(Result.OK, tracker.close(1, TimeUnit.SECONDS));
        tracker.close();
    }

    @Test
    @DisplayName("after close every call answers closed, and closing again is fine")
    void afterClose() {
        Tracker tracker = Tracker.open(config());
        Event begun = tracker.event();
        assertCode(Result.OK, tracker.event().action("READ").track());
        assertCode(Result.OK, tracker.close(1, TimeUnit.SECONDS));
        assertCode(Result.CLOSED, tracker.event().action("READ").track());
        assertEquals(1, tracker.stats().refusedClosed);
        tracker.close();
        assertAllClosed(tracker, begun);
        assertAllClosed(tracker, tracker.event());
        assertSame(tracker.stats(), tracker.stats());
    }

    @Test
    @DisplayName("eight threads may call everything while another closes")
    void eightThreads() throws Exception {
        for (int round = 0; round < 25; ++round) {
            Tracker tracker = Tracker.open(new Config("shop", directory.resolve("r" + round).toString()));
            CountDownLatch begun = new CountDownLatch(8);
            AtomicInteger kept = new AtomicInteger();
            AtomicInteger odd = new AtomicInteger();
            List<Thread> threads = new ArrayList<>();
            for (int t = 0; t < 8; ++t) {
                int number = t;
                Thread thread = new Thread(() -> {
                    begun.countDown();
                    for (int i = 0; ; ++i) {
                        Result result = tracker.event().location("FEED", "y", "3").action("READ").track();
                        if (result.code() == Result.CLOSED) return;
                        if (result.good()) {
                            kept.incrementAndGet();
                        } else if (result.code() != Result.RING_FULL) {
                            odd.incrementAndGet();
                        }
                        if (i % 16 != number) continue;
                        tracker.identify("u" + i);
                        tracker.trackJson("{\"action\":{\"type\":\"\"}}");
                        tracker.stats();
                        tracker.lastError();
                        tracker.flush(1, TimeUnit.MILLISECONDS);
                        if (number == 7) tracker.close(1, TimeUnit.SECONDS);
                    }
                });
                threads.add(thread);
                thread.start();
            }
            begun.await();
            Thread.sleep(round % 5);
            tracker.close();
            for (Thread thread : threads) thread.join();
            assertEquals(0, odd.get());
            assertEquals(kept.get(), tracker.stats().accepted);
        }
    }

    @Test
    @DisplayName("a tracker that is only flushing is not taken for dropped")
    void reachableWhileItWorks() throws Exception {
        Thread collector = new Thread(() -> {
            for (int i = 0; i < 20; ++i) {
                System.gc();
                try {
                    Thread.sleep(10);
                } catch (InterruptedException e) {
                    return;
                }
            }
        });
        collector.start();
        // A port that nobody listens on: the flush waits for its whole deadline.
        for (int i = 0; i < 5; ++i) {
            Config config = new Config("shop", directory.resolve("f" + i).toString());
            assertCode(Result.STILL_WAITING, flushUnreferenced(config.endpoint("http://127.0.0.1:9").key("k", KEY_SECRET)));
        }
        collector.join();
    }

    private static Result flushUnreferenced(Config config) {
        Tracker tracker = Tracker.open(config);
        tracker.event().action("READ").track();
        return tracker.flush(100, TimeUnit.MILLISECONDS);
    }
}
