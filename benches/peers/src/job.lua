-- The job as a script for Fluent Bit's filter: cb(tag, timestamp, record) returns -1 to drop and 2 with a new record.
-- Milliseconds between two records, and for a burst; the caller may have set other values.
local interval, full = interval or 500, full or 1000
local limits = { detections = {}, selections = {}, activity = {} }

local etypes = { principal = true, resource = true }
local categories = { anomaly = true, incident = true }
local confidences = { high = true, medium = true }
local sensitive = {
  "secret", "credential", "token", "exec", "attach", "shell", "privilege", "impersonat", "escalat", "anonymous",
  "unsafe", "cluster%-?admin",
}

local function is_sensitive(rule)
  rule = rule:lower()
  for _, word in ipairs(sensitive) do
    if rule:find(word) then
      return true
    end
  end
  return false
end

local function admit(kind, entity, now)
  local arrivals = limits[kind]
  local arrival = arrivals[entity] or 0
  local next = (arrival > now and arrival or now) + interval
  if next - now > full then
    return false
  end
  arrivals[entity] = next
  return true
end

function cb(tag, now, record)
  local kind, entity, category, class, method, severity
  if record.eid and record.etype then
    kind, entity = "detections", record.eid
    category, class, method = record.category, record.etype, record.short_doc
    if not (etypes[class] and categories[category] and confidences[record.confidence]) or entity:find("^system:") then
      return -1
    end
    if category == "incident" and record.confidence == "high" then
      severity = 6
    elseif category == "incident" or record.confidence == "high" then
      severity = 5
    else
      severity = 4
    end
  elseif record.rule and record.verb then
    kind, entity = "selections", record.principal
    category, class, method = "selection", record.resource_type, record.rule
    if entity:find("^system:") or not (method:find("^exec") or method:find("unsafe$") or method:find("secret")) then
      return -1
    end
    severity = (record.non_authorized == true or is_sensitive(method)) and 5 or 4
  elseif record.id and record.verb then
    kind, entity = "activity", record.principal
    category, class, method = "activity", record.resource_type, record.verb
    if entity:find("^system:") then
      return -1
    end
    severity = record.non_authorized == true and 4 or 2
  else
    return -1
  end
  if not admit(kind, entity, now) then
    return -1
  end
  return 2, now, {
    timestamp = record.time,
    severity = severity,
    applicationName = record.cluster,
    subsystemName = "kaudit-" .. kind,
    computerName = record.cluster,
    category = category,
    className = class,
    methodName = method,
    threadId = entity,
    text = record,
  }
end
