"""Pages that change what an organisation runs. Lists and health are telemetry's pages."""

from __future__ import annotations

from django.urls import URLPattern, URLResolver, path

from fleet.pages import bulk, imports, mappings, palette
from fleet.pages.kinds import DEVICES, FLEETS, KINDS, METERS, VEHICLES, Kind
from fleet.pages.things import ArchiveThing, EditThing, NewThing, RestoreThing


def _paths(kind: Kind) -> list[URLPattern]:
    one = f"{kind.plural}/<str:{kind.noun}_id>"
    base = {"kind": kind, "page": kind.plural}
    paths = [
        path(f"{one}/archive", ArchiveThing.as_view(**base), name=f"{kind.noun}-archive"),
        path(f"{one}/restore", RestoreThing.as_view(**base), name=f"{kind.noun}-restore"),
    ]
    if kind.form is not None:
        paths += [
            path(f"{kind.plural}/new", NewThing.as_view(**base), name=f"{kind.noun}-new"),
            path(f"{one}/edit", EditThing.as_view(**base), name=f"{kind.noun}-edit"),
        ]
    return paths


urlpatterns: list[URLPattern | URLResolver] = [
    *(found for kind in (FLEETS, VEHICLES, METERS, DEVICES) for found in _paths(kind)),
    *(
        path(
            f"{kind.plural}/import",
            imports.Import.as_view(kind=kind, page=kind.plural),
            name=f"{kind.plural}-import",
        )
        for kind in KINDS.values()
    ),
    *(
        path(
            f"{kind.plural}/bulk",
            bulk.Bulk.as_view(kind=kind, page=kind.plural),
            name=f"{kind.plural}-bulk",
        )
        for kind in (FLEETS, VEHICLES, METERS, DEVICES)
    ),
    path("meters/<str:meter_id>/mappings", mappings.NewMapping.as_view(), name="mapping-new"),
    path(
        "meters/<str:meter_id>/mappings/<uuid:mapping_id>",
        mappings.EndMapping.as_view(),
        name="mapping-end",
    ),
    path(
        "meters/<str:meter_id>/mappings/<uuid:mapping_id>/remove",
        mappings.RemoveMapping.as_view(),
        name="mapping-remove",
    ),
    path("palette", palette.Palette.as_view(), name="palette"),
]
