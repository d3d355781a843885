package dev.yukha;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.ByteArrayOutputStream;
import java.io.File;
import java.io.PrintStream;
import java.lang.reflect.Field;
import java.lang.reflect.Modifier;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.Paths;
import java.util.Map;
import java.util.TreeMap;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** What stands in two places says the same in both. */
@Timeout(60)
class HouseTest {
    private static final Path CHECKOUT = Paths.get(System.getProperty("yukha.checkout"));

    @TempDir
    Path directory;

    private static String read(String file) throws Exception {
        return new String(Files.readAllBytes(CHECKOUT.resolve(file)), StandardCharsets.UTF_8);
    }

    private static String find(String pattern, String text) {
        Matcher found = Pattern.compile(pattern, Pattern.DOTALL | Pattern.MULTILINE).matcher(text);
        assertTrue(found.find(), pattern + " is not there");
        return found.group(1);
    }

    @Test
    @DisplayName("the codes are those of yukha.h, by number and by name")
    void codes() throws Exception {
        Map<String, Integer> header = new TreeMap<>();
        Matcher line = Pattern.compile("^  YUKHA_([A-Z_]+) = (-?\\d+),?$", Pattern.MULTILINE).matcher(
                read("include/yukha/yukha.h"));
        while (line.find()) header.put(line.group(1), Integer.valueOf(line.group(2)));
        Map<String, Integer> ours = new TreeMap<>();
        for (Field field : Result.class.getDeclaredFields()) {
            if (Modifier.isPublic(field.getModifiers())) ours.put(field.getName(), field.getInt(null));
        }
        assertEquals(header, ours);
        for (Map.Entry<String, Integer> code : ours.entrySet()) {
            assertEquals(code.getKey().toLowerCase(), new Result(code.getValue(), "").name());
        }
    }

    @Test
    @DisplayName("the version is the library's")
    void version() throws Exception {
        String version = find("YUKHA_VERSION \"(.*?)\"", read("include/yukha/version.hpp"));
        assertEquals(version, Yukha.version());
        assertEquals(version, find("<version>(.*?)</version>", read("bindings/jni/pom.xml")));
    }

    @Test
    @DisplayName("the page's samples are files that were built")
    void samples() throws Exception {
        String page = read("bindings/jni/README.md");
        Matcher sample = Pattern.compile("<!-- sample: (\\S+) -->\n```(?:java|kotlin)\n(.*?)```", Pattern.DOTALL)
                .matcher(page);
        int samples = 0;
        while (sample.find()) {
            assertEquals(find("^// \\[readme\n(.*?)^// readme\\]$", read(sample.group(1))), sample.group(2));
            ++samples;
        }
        assertEquals(2, samples);
        assertEquals(samples, page.split("```(java|kotlin)\n", -1).length - 1, "a sample without its file");
    }

    @Test
    @DisplayName("the samples deliver what they say, in Java and in Kotlin")
    void samplesRun() throws Exception {
        PrintStream before = System.out;
        ByteArrayOutputStream said = new ByteArrayOutputStream();
        try (Endpoint endpoint = new Endpoint()) {
            System.setOut(new PrintStream(said, true, "UTF-8"));
            quickstart.Quickstart.main(new String[] {directory.resolve("java").toString(), endpoint.url()});
            Class.forName("quickstart.QuickstartKt").getMethod("main", String[].class)
                    .invoke(null, (Object) new String[] {directory.resolve("kotlin").toString(), endpoint.url()});
            assertEquals(2, endpoint.lines().size());
            for (String line : endpoint.lines()) {
                assertTrue(line.contains("\"location\":\"app://shop/FEED?y=3\""), line);
            }
        } finally {
            System.setOut(before);
        }
        String expected = "identify: ok: done\ntrack: ok: done\nflush: ok: done\n";
        assertEquals(expected + expected, said.toString("UTF-8"));
    }

    @Test
    @DisplayName("the classes are those of Java 8")
    void classFiles() throws Exception {
        File[] classes = new File(Tracker.class.getProtectionDomain().getCodeSource().getLocation().toURI())
                .toPath().resolve("dev/yukha").toFile().listFiles();
        assertNotEquals(0, classes.length);
        for (File file : classes) {
            byte[] head = Files.readAllBytes(file.toPath());
            assertEquals(52, (head[6] & 0xFF) << 8 | head[7] & 0xFF, file.getName());
        }
    }
}
