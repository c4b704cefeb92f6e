-- The module's Lua part: emits the entries that the native steps return for an event, and guards the steps, so that no
-- error loses an event.
local new_step = ...
local ipairs, next, pcall, tostring, type = ipairs, next, pcall, tostring, type

-- Vector runs a full garbage collection after every 16 events, so a collection that Lua starts in between is redundant.
-- By default Lua starts one when the memory in use has doubled, which takes about 16 events; here, when it is ten times
-- as much.
collectgarbage("incremental", 1000, 0, 0)

local Filter = {}
Filter.__index = Filter

-- The maximum depth of the tables that `plain` copies: above the depth of any event; it ends the copy of a table that
-- contains itself.
local MAX_DEPTH = 100

-- Returns a copy of a value, in which strings replace the values that Vector's events cannot contain.
local function plain(value, depth)
  local kind = type(value)
  if kind == "table" and depth > 0 then
    local copy = {}
    for key, member in next, value do
      copy[type(key) == "number" and key or tostring(key)] = plain(member, depth - 1)
    end
    return copy
  elseif kind == "string" or kind == "boolean" or (kind == "number" and value == value) then
    return value
  end
  return tostring(value)
end

-- Emits an event whose filtering failed, unchanged but for a mark. `log`, `message` and `own` are the values of
-- `event.log`, its `message` and its `kaudit_filter` before they were replaced.
local function rescue(self, event, emit, reason, log, message, own)
  self.failed = self.failed + 1
  if type(log) ~= "table" then
    return emit(event)
  end
  event.log = log
  log.message = message
  log.kaudit_filter = { error = reason, previous = own }
  if not pcall(emit, event) then
    event.log = plain(log, MAX_DEPTH)
    emit(event)
  end
end

-- Returns an entry as Vector's log.
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

-- Returns the event with an entry: a text replaces the message, a table replaces the whole log.
local function with(event, entry)
  if type(entry) == "table" then
    event.log = entry
  else
    event.log.message = entry
  end
  return event
end

local function copied(table)
  local copy = {}
  for key, value in next, table do
    copy[key] = value
  end
  return copy
end

-- Emits one event for each entry of a batch. Each is a copy, since `emit` may change or keep its argument.
local function emit_all(event, log, entries, emit)
  for _, entry in ipairs(entries) do
    local one = copied(event)
    if type(entry) ~= "table" then
      one.log = copied(log)
    end
    emit(with(one, entry))
  end
end

local function process(step, event, emit, log)
  -- An event that is not a log, such as a metric, passes.
  if log == nil then
    emit(event)
    return "passed"
  end
  local verdict, reason, entry = step:process(log, log.message)
  if verdict == "kept" then
    emit(with(event, entry))
  elseif verdict == "passed" then
    emit(event)
  elseif entry then
    emit_all(event, log, entry, emit)
  end
  return verdict, reason
end

-- Vector's `process` hook. Returns the verdict, and the reason of a drop; for several findings `batch` and a list of
-- their verdicts.
function Filter:process(event, emit)
  local log, message, own
  if type(event) == "table" then
    log = event.log
    -- A line in Vector's log namespace. Vector hands it to Lua, but takes only tables back.
    if log ~= nil and type(log) ~= "table" then
      log = { message = tostring(log) }
      event.log = log
    end
  end
  if log ~= nil then
    message, own = log.message, log.kaudit_filter
  end
  local ok, verdict, reason = pcall(process, self.step, event, emit, log)
  if ok then
    return verdict, reason
  end
  -- The first line; a stack may follow.
  local failure = tostring(verdict):match("^[^\n]*")
  rescue(self, event, emit, failure, log, message, own)
  return "failed", failure
end

local function emit_own(self, emit, all)
  local log = self.step:own(all)
  while log do
    emit({ log = log })
    log = self.step:own(all)
  end
end

-- For a timer: emits the summaries and count reports that are due.
function Filter:flush(emit)
  emit_own(self, emit, false)
end

-- Vector's `shutdown` hook: emits all pending summaries and reports.
function Filter:shutdown(emit)
  emit_own(self, emit, true)
end

-- For a timer: emits all metrics as metric events, with the totals since the filter was created.
function Filter:metrics(emit)
  for _, metric in ipairs(self.step:metrics(self.failed)) do
    emit({ metric = metric })
  end
end

-- Returns the counters since the filter was created.
function Filter:stats()
  local stats = self.step:stats()
  stats.failed = self.failed
  return stats
end

local kaudit = {}

-- Returns a filter, or raises an error that lists every mistake in the options and their file.
function kaudit.new(options)
  local step, mistakes = new_step(options, entry)
  if not step then
    error(mistakes, 0)
  end
  return setmetatable({ step = step, failed = 0 }, Filter)
end

return kaudit
