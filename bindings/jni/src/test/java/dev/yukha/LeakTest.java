package dev.yukha;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.File;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.Paths;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** A thousand trackers are opened and dropped; handles, threads and memory are back where they were. */
@Timeout(300)
class LeakTest {
    private static final int TRACKERS = 1000;
    /** Fewer than the lanes of a directory, and enough for the collector to have several at once. */
    private static final int AT_ONCE = 10;
    /** Allocators keep some of what they were given back. A leak of one page for each tracker would be 4,000. */
    private static final long MARGIN_KB = 3000;
    private static final int ROUNDS_MAX = 4;

    @TempDir
    Path directory;

    private static final class Usage {
        final List<String> handles = handles();
        final int threads = new File("/proc/self/task").list().length;
        final long residentKb = residentKb();

        private static long residentKb() {
            try {
                byte[] status = Files.readAllBytes(Paths.get("/proc/self/status"));
                for (String line : new String(status, StandardCharsets.US_ASCII).split("\n")) {
                    if (line.startsWith("VmRSS:")) return Long.parseLong(line.replaceAll("\\D", ""));
                }
            } catch (IOException e) {
                throw new AssertionError(e);
            }
            throw new AssertionError("no VmRSS");
        }
    }

    /** What this process has open; without the JVM's own files, which it opens when it feels like it. */
    private static List<String> handles() {
        List<String> handles = new ArrayList<>();
        for (File handle : new File("/proc/self/fd").listFiles()) {
            try {
                String file = Files.readSymbolicLink(handle.toPath()).toString();
                if (!file.startsWith(System.getProperty("java.home"))) handles.add(file);
            } catch (IOException e) {
                // The handle by which they were listed, closed again.
            }
        }
        return handles;
    }

    private interface Round {
        void run(int trackers) throws Exception;
    }

    @BeforeEach
    void linux() {
        assumeTrue(new File("/proc/self/task").isDirectory(), "needs /proc");
    }

    private Tracker open(Reaper reaper) {
        Config config = new Config("shop", directory.toString()).ringBytes(64 << 10);
        Tracker tracker = Tracker.open(config, reaper);
        assertEquals(Result.OK, tracker.status().code(), tracker.status().toString());
        assertEquals(Result.OK, tracker.event().location("FEED").action("READ").track().code());
        return tracker;
    }

    private void dropSome(Reaper reaper) {
        for (int i = 0; i < AT_ONCE; ++i) open(reaper);
    }

    /** The collector is asked until the handles are back, because it promises no time. */
    private static void collect(int handles, Runnable poll) throws InterruptedException {
        for (int tries = 0; tries < 500 && handles().size() > handles; ++tries) {
            System.gc();
            Thread.sleep(2);
            poll.run();
        }
    }

    private static void assertBackAfter(String what, Round round) throws Exception {
        round.run(TRACKERS / 5);  // what is loaded, compiled and allocated once
        for (int rounds = 1; ; ++rounds) {
            System.gc();
            Usage before = new Usage();
            round.run(TRACKERS);
            System.gc();
            Usage after = new Usage();
            System.out.println(what + ": " + TRACKERS + " trackers; handles " + before.handles.size() + " -> "
                    + after.handles.size() + ", threads " + before.threads + " -> " + after.threads + ", memory "
                    + before.residentKb + " -> " + after.residentKb + " KiB");
            // The JVM itself opens one of its own now and then, and closes it.
            assertTrue(after.handles.size() <= before.handles.size(), () -> before.handles + ", then " + after.handles);
            // The JVM ends compiler threads of its own when they idle, and starts them again.
            assertTrue(after.threads <= before.threads + 1, "threads: " + before.threads + ", then " + after.threads);
            // A sanitizer holds freed memory back to find its later use.
            if (!System.getProperty("yukha.sanitized", "").isEmpty()) return;
            if (after.residentKb <= before.residentKb + MARGIN_KB) return;
            // The JVM grows by itself now and then, and comes to an end with it. A leak grows in every round.
            assertTrue(rounds < ROUNDS_MAX, "memory: " + before.residentKb + " KiB, then " + after.residentKb);
        }
    }

    @Test
    @DisplayName("a thousand trackers that were closed leave nothing behind")
    void closed() throws Exception {
        assertBackAfter("closed", trackers -> {
            for (int i = 0; i < trackers; ++i) open(Reaper.BEST).close();
        });
    }

    @Test
    @DisplayName("a thousand trackers that nobody closed are given back by the cleaner")
    void dropped() throws Exception {
        assertTrue(Reaper.BEST instanceof Reaper.ByCleaner);
        int handles = handles().size();
        assertBackAfter("dropped, cleaner", trackers -> {
            for (int i = 0; i < trackers; i += AT_ONCE) {
                dropSome(Reaper.BEST);
                collect(handles, () -> { });
            }
        });
    }

    @Test
    @DisplayName("where there is no Cleaner, the next open or close gives them back")
    void droppedWithoutCleaner() throws Exception {
        Reaper.ByQueue reaper = new Reaper.ByQueue();
        open(reaper).close();
        int handles = handles().size();
        assertBackAfter("dropped, queue", trackers -> {
            for (int i = 0; i < trackers; i += AT_ONCE) {
                dropSome(reaper);
                collect(handles, () -> open(reaper).close());
            }
        });
    }
}
