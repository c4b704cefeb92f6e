# Generated from ../main.tf for findings that arrive by OTLP.
# The resources for Terraform. Coralogix's provider has no views; views.yaml defines them for the operator.
#
#   CORALOGIX_API_KEY=… CORALOGIX_ENV=EU2 terraform apply

terraform {
  required_providers {
    coralogix = {
      source  = "coralogix/coralogix"
      version = "~> 3.0"
    }
  }
}

resource "coralogix_alert" "critical" {
  name        = "kAudit: critical finding"
  description = "A finding that the filter gave the severity critical."
  priority    = "P1"
  type_definition = {
    logs_immediate = {
      logs_filter = {
        simple_filter = {
          lucene_query = "NOT logRecord.body.kaudit_filter.summary:*"
          label_filters = {
            subsystem_name = [{ operation = "STARTS_WITH", value = "kaudit-" }]
            severities     = ["Critical"]
          }
        }
      }
    }
  }
}

resource "coralogix_alert" "admin_authentication_failures" {
  name        = "kAudit: admin authentication failures"
  description = "More than 5 failed authentications of administrators within 10 minutes, over all clusters."
  type_definition = {
    logs_threshold = {
      logs_filter = {
        simple_filter = {
          lucene_query = "logRecord.body.rule:\"admin authentication failure\""
          label_filters = {
            subsystem_name = [{ operation = "IS", value = "kaudit-selections" }]
          }
        }
      }
      rules = [{
        condition = {
          time_window    = "10_MINUTES"
          threshold      = 5
          condition_type = "MORE_THAN"
        }
        override = { priority = "P2" }
      }]
    }
  }
}

resource "coralogix_alert" "admin_authentication_ratio" {
  name        = "kAudit: ratio of failed to successful admin authentications"
  description = "More than one failed authentication of administrators for each two that succeeded, within an hour."
  type_definition = {
    logs_ratio_threshold = {
      numerator_alias = "failed"
      numerator = {
        simple_filter = {
          lucene_query = "logRecord.body.rule:\"admin authentication failure\""
          label_filters = {
            subsystem_name = [{ operation = "IS", value = "kaudit-selections" }]
          }
        }
      }
      denominator_alias = "successful"
      denominator = {
        simple_filter = {
          lucene_query = "logRecord.body.rule:\"admin authentication success\""
          label_filters = {
            subsystem_name = [{ operation = "IS", value = "kaudit-selections" }]
          }
        }
      }
      rules = [{
        condition = {
          time_window    = "1_HOUR"
          threshold      = 0.5
          condition_type = "MORE_THAN"
        }
        override = { priority = "P3" }
      }]
    }
  }
}

resource "coralogix_alert" "more_than_usual" {
  name        = "kAudit: more admin authentication failures than usual"
  description = "More failed authentications of administrators than usual at this time of day, and at least 5 in an hour."
  priority    = "P3"
  type_definition = {
    logs_anomaly = {
      logs_filter = {
        simple_filter = {
          lucene_query = "logRecord.body.rule:\"admin authentication failure\""
          label_filters = {
            subsystem_name = [{ operation = "IS", value = "kaudit-selections" }]
          }
        }
      }
      rules = [{
        condition = {
          time_window       = "1_HOUR"
          minimum_threshold = 5
        }
      }]
    }
  }
}

resource "coralogix_alert" "new_principal" {
  name        = "kAudit: new principal"
  description = "A principal that no finding had in the last three months violates the policy."
  priority    = "P4"
  type_definition = {
    logs_new_value = {
      logs_filter = {
        simple_filter = {
          lucene_query = "logRecord.body.rule:* AND logRecord.body.principal:*"
          label_filters = {
            subsystem_name = [{ operation = "IS", value = "kaudit-selections" }]
          }
        }
      }
      rules = [{
        condition = {
          time_window      = "3_MONTHS"
          keypath_to_track = "logRecord.body.principal"
        }
      }]
    }
  }
}

resource "coralogix_dashboard" "kaudit" {
  content_json = file("${path.module}/dashboard.json")
}

resource "coralogix_events2metric" "findings" {
  name        = "kaudit_findings"
  description = "kAudit's findings by cluster, category, confidence and rule."
  logs_query = {
    lucene     = "(logRecord.body.etype:* OR logRecord.body.rule:* OR logRecord.body.verb:*) AND NOT logRecord.body.count:* AND NOT logRecord.body.kaudit_filter.summary:*"
    subsystems = ["filter:startsWith:kaudit-"]
  }
  metric_labels = {
    cluster    = "logRecord.body.cluster"
    category   = "logRecord.body.category"
    confidence = "logRecord.body.confidence"
    rule       = "logRecord.body.rule"
  }
  permutations = { limit = 10000 }
}

resource "coralogix_events2metric" "suppressed" {
  name        = "kaudit_suppressed"
  description = "Findings suppressed by the filter's rate limits, by integration."
  logs_query = {
    lucene     = "logRecord.body.kaudit_filter.summary:*"
    subsystems = ["filter:startsWith:kaudit-"]
  }
  metric_labels = {
    integration = "logRecord.body.kaudit_filter.summary.integration"
  }
  metric_fields = {
    suppressed = {
      source_field = "logRecord.body.kaudit_filter.summary.suppressed"
      aggregations = {
        sum = { enable = true }
      }
    }
  }
  permutations = { limit = 10000 }
}
