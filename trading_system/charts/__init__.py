"""Pictures: ``scene``, ``closed_scene`` and ``chart_scene`` decide what is drawn where, ``png`` and ``svg`` draw it."""
