-- The module's face: emits what the native steps made of an event, and guards them, so that no error loses one.
local new_step = ...
local pcall, type = pcall, type

-- Vector has Lua collect everything after every 16 events: a collection that Lua begins in between is work done twice.
-- Lua begins one when the memory in use has doubled, which takes about 16 events; now, when it is ten times as much.
collectgarbage("incremental", 1000, 0, 0)

local Filter = {}
Filter.__index = Filter

-- An event that failed on its way passes on, marked; one that Vector cannot take any more, as its message alone.
local function rescue(self, event, emit, reason)
  self.failed = self.failed + 1
  local mark = { error = reason }
  local log = type(event) == "table" and event.log
  if type(log) ~= "table" then
    return emit(event)
  end
  log.kaudit_filter = mark
  if not pcall(emit, event) then
    local message = log.message
    emit({ log = { message = type(message) == "string" and message or nil, kaudit_filter = mark } })
  end
end

-- An entry as Vector's log.
local function entry(
  text, severity, application, subsystem, computer, category, class, method, thread,
  year, month, day, hour, min, sec, nanosec
)
  return {
    timestamp = {
      year = year, month = month, day = day, hour = hour, min = min, sec = sec, nanosec = nanosec,
    },
    severity = severity,
    applicationName = application,
    subsystemName = subsystem,
    computerName = computer,
    category = category,
    className = class,
    methodName = method,
    threadId = thread,
    text = text,
  }
end

local function process(step, event, emit)
  local log = event.log
  -- Anything but a log passes.
  if type(log) ~= "table" then
    emit(event)
    return "passed"
  end
  local verdict, reason, new = step:process(log, log.message)
  if new then
    event.log = new
  end
  if verdict == "kept" or verdict == "passed" then
    emit(event)
  end
  return verdict, reason
end

-- Vector's `process` hook. Gives the verdict, and the reason of a drop.
function Filter:process(event, emit)
  local ok, verdict, reason = pcall(process, self.step, event, emit)
  if ok then
    return verdict, reason
  end
  -- The first line; a stack may follow.
  local failure = tostring(verdict):match("^[^\n]*")
  rescue(self, event, emit, failure)
  return "failed", failure
end

local function emit_own(self, emit, all)
  local event = self.step:own(all)
  while event do
    emit(event)
    event = self.step:own(all)
  end
end

-- For a timer: the summaries and count reports whose time has come.
function Filter:flush(emit)
  emit_own(self, emit, false)
end

-- Vector's `shutdown` hook: what the filter still owes.
function Filter:shutdown(emit)
  emit_own(self, emit, true)
end

-- The counters since the filter was made.
function Filter:stats()
  local stats = self.step:stats()
  stats.failed = self.failed
  return stats
end

local kaudit = {}

-- Makes a filter, or raises an error that lists every mistake of the options and the file they name.
function kaudit.new(options)
  local step, mistakes = new_step(options, entry)
  if not step then
    error(mistakes, 0)
  end
  return setmetatable({ step = step, failed = 0 }, Filter)
end

return kaudit
