-- `love . --headless` runs the scene without window, graphics and sound, as a server or a test does.
local headless = false
for _, word in ipairs(arg or {}) do headless = headless or word == "--headless" end

function love.conf(t)
  t.identity = "yukha-feed"
  t.version = "11.4"
  t.console = false
  t.modules.audio = false
  t.modules.sound = false
  t.modules.joystick = false
  t.modules.physics = false
  t.modules.video = false
  if headless then
    for _, name in ipairs { "window", "graphics", "font", "image", "keyboard", "mouse", "touch" } do
      t.modules[name] = false
    end
  end
  t.window.title = "yukha: a feed"
end
