"""Geofences: places a rule can refer to, drawn by an organisation on the map."""

from __future__ import annotations

from django.db import models

from fleet.models import Referenced

COLOUR = "#2f6fed"
"""Of a geofence that was given none."""


class Geofence(Referenced):
    """`shape` is a circle, a polygon or a corridor; positions are [longitude, latitude]:

    {"type": "circle", "centre": [lon, lat], "radius_m": 500}
    {"type": "polygon", "rings": [[[lon, lat], …], …]}: the outline, then holes
    {"type": "corridor", "line": [[lon, lat], …], "width_m": 200}
    """

    shape = models.JSONField()
    colour = models.CharField(max_length=7, default=COLOUR)
