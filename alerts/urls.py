from django.urls import path

from alerts import views

urlpatterns = [
    path("alerts", views.inbox, name="alerts"),
    path("alerts/act", views.act, name="alerts-act"),
    path("alerts/rules", views.rule_list, name="alert-rules"),
    path("alerts/rules/new", views.new_rule, name="alert-rule-new"),
    path("alerts/rules/<uuid:public_id>/switch", views.switch_rule, name="alert-rule-switch"),
    path("alerts/dry-runs/<uuid:public_id>", views.dry_run, name="alert-dry-run"),
    path("alerts/<uuid:public_id>", views.alert, name="alert"),
]
