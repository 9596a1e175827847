"""`HtmlMixin`: an interactive page of an object, in a file or in a notebook.

The page itself is made by `fastbp.page`, which is imported when one is requested: it knows
what it shows, so that what it shows need not know it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path


class HtmlMixin:
    """What has a page: `to_html`, `to_widget`, and itself in notebooks."""

    def _page_data(self) -> dict[str, Any]:
        """Return what the page holds, ready for `json.dumps`."""
        raise NotImplementedError

    def _page_title(self) -> str:
        raise NotImplementedError

    def _page_text(self) -> str:
        """Return what is shown where scripts do not run."""
        return str(self)

    def to_html(self, path: Any = None) -> Path | str:
        """Write an interactive page: one file, which needs no network.

        All its numbers are those of this object. It goes through them one idea at a time, with
        play, step and rewind; see the guide, docs/see.md. It takes up to some 1.5 MB: what is
        larger is shown in part, which the page says.

        Parameters
        ----------
        path : str, bytes or path-like, default=None
            Where to write it; None returns the text instead. A file that is there is replaced, all
            at once, and keeps its mode and owner. Symbolic links are followed; a device or a named
            pipe is written to.

        Returns
        -------
        pathlib.Path or str

        Raises
        ------
        OSError
            If it cannot be written there, such as FileNotFoundError where there is no such folder.
        """
        from .io.files import write_file
        from .page.document import document

        page = document(self._page_data(), self._page_title(), self._page_text())
        return page if path is None else write_file(path, page)

    def to_widget(self) -> Any:
        """Return the same page as a widget for notebooks. Needs anywidget (extra ``widget``).

        Its traits ``frame`` and ``idea`` are the step (or the evaluation, of a measured system)
        and the idea shown; set them to go there.

        Returns
        -------
        anywidget.AnyWidget

        Raises
        ------
        ImportError
            Without anywidget.
        """
        from .page.widget import widget

        return widget(self._page_data())

    def _repr_html_(self) -> str:
        from .page.document import embedded

        return embedded(str(self.to_html()), self._page_title())
