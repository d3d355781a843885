import dev.yukha.Config;
import dev.yukha.Consent;
import dev.yukha.Result;
import dev.yukha.Event;
import dev.yukha.Stats;
import dev.yukha.Tracker;
import dev.yukha.Yukha;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.util.concurrent.TimeUnit;

/** The parity test's hand in Java: does on the binding what tests/hosts/PROTOCOL.md says. */
public final class Driver {
    private static final String GOOD = "0 ok";
    private static final String NO_TRACKER = "-24 bad_argument";

    private Tracker tracker;
    private Event sentence;

    private Driver() {}

    public static void main(String[] arguments) throws IOException {
        Driver driver = new Driver();
        BufferedReader in = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.US_ASCII));
        PrintStream out = new PrintStream(System.out, true, "US-ASCII");
        for (String line = in.readLine(); line != null; line = in.readLine()) out.println(driver.answer(line.split("\t")));
    }

    private String answer(String[] words) {
        switch (words[0]) {
            case "version":
                return hex(Yukha.version());
            case "open":
                return open(words);
            case "begin":
                sentence = tracker == null ? null : tracker.event();
                return GOOD;
            case "location":
            case "content":
            case "referral":
            case "action":
            case "user":
            case "device":
            case "at":
            case "critical":
                return part(words);
            case "track":
                return sentence == null ? NO_TRACKER : told(sentence.track());
            default:
                return tracker == null ? NO_TRACKER : call(words);
        }
    }

    /** The first mistake is told by track. */
    private String part(String[] words) {
        if (sentence == null) return NO_TRACKER;
        switch (words[0]) {
            case "location":
                sentence.location(text(words[1]), texts(words, 2));
                break;
            case "content":
                sentence.content(text(words[1]), texts(words, 2));
                break;
            case "referral":
                sentence.referral(text(words[1]));
                break;
            case "action":
                if (words[2].equals("-1")) {
                    sentence.action(text(words[1]), texts(words, 3));
                } else {
                    sentence.action(text(words[1]), Long.parseLong(words[2]), TimeUnit.MILLISECONDS, texts(words, 3));
                }
                break;
            case "user":
                sentence.user(texts(words, 1));
                break;
            case "device":
                sentence.device(texts(words, 1));
                break;
            case "at":
                sentence.at(Long.parseLong(words[1]));
                break;
            default:
                sentence.critical();
        }
        return GOOD;
    }

    private String call(String[] words) {
        switch (words[0]) {
            case "identify":
                return told(tracker.identify(text(words[1]), texts(words, 2)));
            case "track_json":
                return told(tracker.trackJson(text(words[1])));
            case "consent":
                return told(tracker.consent(Consent.values()[Integer.parseInt(words[1])]));
            case "get_consent":
                return String.valueOf(tracker.consent().ordinal());
            case "erase":
                return told(tracker.erase());
            case "flush":
                return told(tracker.flush(Long.parseLong(words[1]), TimeUnit.MILLISECONDS));
            case "stats":
                return told(tracker.stats());
            case "close":
                return told(tracker.close(Long.parseLong(words[1]), TimeUnit.MILLISECONDS));
            case "free":
                tracker.close();
                tracker = null;
                sentence = null;
                return GOOD;
            case "last_error":
                return hex(tracker.lastError());
            default:
                return "unknown";
        }
    }

    private String open(String[] words) {
        String appId = null;
        String queueDir = null;
        for (int i = 1; i + 1 < words.length; i += 2) {
            if (words[i].equals("app_id")) appId = text(words[i + 1]);
            if (words[i].equals("queue_dir")) queueDir = text(words[i + 1]);
        }
        Config config = new Config(appId, queueDir);
        String keyId = null;
        String keySecret = null;
        for (int i = 1; i + 1 < words.length; i += 2) {
            String value = text(words[i + 1]);
            switch (words[i]) {
                case "lane":
                    config.lane(value);
                    break;
                case "endpoint":
                    config.endpoint(value);
                    break;
                case "key_id":
                    keyId = value;
                    break;
                case "key_secret":
                    keySecret = value;
                    break;
                case "app_version":
                    config.appVersion(value);
                    break;
                case "os":
                    config.os(value);
                    break;
                case "model":
                    config.model(value);
                    break;
                case "locale":
                    config.locale(value);
                    break;
                case "upload_interval_ms":
                    config.uploadInterval(Long.parseLong(value), TimeUnit.MILLISECONDS);
                    break;
                case "sync_interval_ms":
                    config.syncInterval(Long.parseLong(value), TimeUnit.MILLISECONDS);
                    break;
                case "ring_full_wait_ms":
                    config.ringFullWait(Long.parseLong(value), TimeUnit.MILLISECONDS);
                    break;
                case "queue_bytes_max":
                    config.queueBytesMax(Long.parseLong(value));
                    break;
                case "ring_bytes":
                    config.ringBytes(Long.parseLong(value));
                    break;
                case "age_max_hours":
                    config.ageMaxHours(Long.parseLong(value));
                    break;
                case "allow_plain_http":
                    config.allowPlainHttp(!value.equals("0"));
                    break;
                case "no_device_facts":
                    config.deviceFacts(value.equals("0"));
                    break;
                default:
            }
        }
        tracker = Tracker.open(config.key(keyId, keySecret));
        sentence = null;
        return told(tracker.status());
    }

    private static String told(Result result) {
        return result.code() + " " + result.name();
    }

    private static String told(Stats stats) {
        long[] numbers = {stats.accepted, stats.delivered, stats.waiting, stats.quarantined, stats.evicted, stats.erased,
            stats.lost, stats.refused};
        StringBuilder words = new StringBuilder();
        for (long number : numbers) words.append(words.length() == 0 ? "" : "\t").append(number);
        return words.toString();
    }

    private static String[] texts(String[] words, int from) {
        String[] texts = new String[Math.max(words.length - from, 0)];
        for (int i = 0; i < texts.length; ++i) texts[i] = text(words[from + i]);
        return texts;
    }

    private static String text(String word) {
        if (word.equals("null")) return null;
        if (word.equals("-")) return "";
        byte[] bytes = new byte[word.length() / 2];
        for (int i = 0; i < bytes.length; ++i) bytes[i] = (byte) Integer.parseInt(word.substring(2 * i, 2 * i + 2), 16);
        return new String(bytes, StandardCharsets.UTF_8);
    }

    private static String hex(String text) {
        if (text.isEmpty()) return "-";
        StringBuilder word = new StringBuilder();
        for (byte b : text.getBytes(StandardCharsets.UTF_8)) word.append(String.format("%02x", b & 0xFF));
        return word.toString();
    }
}
