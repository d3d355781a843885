package dev.yukha

import java.nio.file.Path
import java.util.concurrent.TimeUnit.MILLISECONDS
import java.util.concurrent.TimeUnit.SECONDS
import org.junit.jupiter.api.Assertions.assertEquals
import org.junit.jupiter.api.Assertions.assertFalse
import org.junit.jupiter.api.Assertions.assertNull
import org.junit.jupiter.api.Assertions.assertTrue
import org.junit.jupiter.api.Test
import org.junit.jupiter.api.io.TempDir

/** Kotlin people write it so, and it does the same. */
class KotlinTest {
    @TempDir
    lateinit var directory: Path

    private fun config() = Config("shop", directory.toString())

    @Test
    fun `use closes the tracker, and a later call says so`() {
        val tracker = Tracker.open(config())
        val result = tracker.use {
            it.identify("u_1842", mapOf("session" to "7"))
            it.event()
                .location("피드", mapOf("y" to "3"))
                .content("card_913", "type", "card", "title", "커피 ☕")
                .referral("CLICK")
                .action("READ", 10, SECONDS, mapOf("depth" to "0.8"))
                .track()
        }
        assertTrue(result.kept())
        assertEquals(1, tracker.stats().accepted)
        assertEquals(Result.CLOSED, tracker.event().action("READ").track().code())
    }

    @Test
    fun `members come as a map that was built on the way`() = Tracker.open(config()).use { tracker ->
        val facts = buildMap {
            put("experiment_checkout", "B")
            if (isNotEmpty()) put("session", "7")
        }
        assertTrue(tracker.event().user(facts).device(mapOf("theme" to "dark")).action("BUY").critical().track().good())
        assertEquals(Result.STILL_WAITING, tracker.flush(1, MILLISECONDS).code())
    }

    @Test
    fun `consent is an enum that when understands`() = Tracker.open(config()).use { tracker ->
        assertTrue(tracker.consent(Consent.PENDING).good())
        val sends = when (tracker.consent()) {
            Consent.GRANTED -> true
            Consent.PENDING, Consent.DENIED -> false
            null -> error("consent is never null")
        }
        assertFalse(sends)
    }

    @Test
    fun `a null that slipped through a platform type is refused, not thrown`() = Tracker.open(config()).use { tracker ->
        val nothing: String? = null
        assertNull(nothing)
        assertEquals(Result.BAD_ARGUMENT, tracker.event().action(nothing).track().code())
        assertEquals(Result.BAD_ARGUMENT, tracker.identify(nothing).code())
    }
}
