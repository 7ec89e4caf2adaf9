"""The page, made of Gradio's components; what happens on it is in handlers.py."""

import fastapi
import gradio as gr

from tf_marscf.explore import fragments
from tf_marscf.explore.explorer import MAX_NUM_SAMPLES
from tf_marscf.explore.handlers import EVERY_LEVEL, SAMPLES, TEST_IMAGES, answer

_SYSTEM_FONTS = ["ui-sans-serif", "system-ui", "sans-serif"]
_SYSTEM_MONO_FONTS = ["ui-monospace", "Consolas", "monospace"]
_ANY_CLASS = "any"
_MAX_FILE_SIZE = "512mb"
_WHAT_LEVELS_ARE = (
    "The prior of each level is given what coarser levels have decided: the coarsest one decides "
    "the global structure, finer ones add detail to it. In each row below the first, one level has "
    "new noise, and all others keep theirs."
)
_WHAT_A_PATH_IS = "Every point between the latents of two images is an image, too."
_WHAT_EQ_11_IS = (
    "Points of Eq. 11 of the paper are moved on to where the prior is denser, by 100 steps of an "
    "optimizer."
)
_WHAT_A_SCORE_IS = "Drop an image, to see its bits/dim and where in it they come from."


class Page:
    """The page of a model.

    Args:
        handlers: its `Handlers`.
        title: of the page.
        facts: what is known of the model, pairs (name, value).

    Attributes:
        blocks: the `gradio.Blocks`.
    """

    def __init__(self, handlers, title, facts):
        self._handlers = handlers
        self._missing = handlers.missing()
        self.blocks = gr.Blocks(
            title=f"{title} - tf_marscf",
            analytics_enabled=False,
            delete_cache=(3600, 3600),
            fill_width=True,
        )
        with self.blocks:
            gr.HTML(fragments.header(title, facts))
            self._drawn = gr.State(None)
            with gr.Tab("Samples"):
                self._add_samples()
            with gr.Tab("Levels"):
                self._add_levels()
            with gr.Tab("Path"):
                self._add_path()
            with gr.Tab("Your image"):
                self._add_score()

    def application(self):
        """The page as an ASGI application."""
        theme = gr.themes.Default(
            primary_hue="blue",
            neutral_hue="slate",
            font=_SYSTEM_FONTS,
            font_mono=_SYSTEM_MONO_FONTS,
        ).set(checkbox_border_color_dark="*neutral_400")
        return gr.mount_gradio_app(
            fastapi.FastAPI(openapi_url=None),
            self.blocks,
            path="/",
            footer_links=[],
            run_history=False,
            root_path="",
            show_error=False,
            max_file_size=_MAX_FILE_SIZE,
            ssr_mode=False,
            enable_monitoring=False,
            pwa=False,
            mcp_server=False,
            theme=theme,
            css=fragments.style_sheet(),
        )

    def _add_samples(self):
        num_levels = self._handlers.explorer.num_levels
        with gr.Row():
            with gr.Column(scale=2, min_width=280):
                seed = gr.Number(0, label="seed", precision=0)
                number = gr.Slider(1, MAX_NUM_SAMPLES, 16, step=1, label="number of samples")
                label = self._class_choice("class", "one after another")
                temperatures = [
                    gr.Slider(
                        0.0, 1.5, 1.0, step=0.05,
                        label=f"temperature of level {level}",
                        info=self._handlers.level_meaning(level),
                    )
                    for level in range(1, num_levels + 1)
                ]  # fmt: skip
                with gr.Row():
                    draw = gr.Button("Draw", variant="primary", min_width=100)
                    following = gr.Button("Next seed", min_width=100)
            with gr.Column(scale=5, min_width=300):
                shown = gr.HTML(elem_id="samples")

        def sample(values, on_progress):
            scales = [values[slider] for slider in temperatures]
            return self._handlers.sample(
                values[seed], values[number], values[label], scales, on_progress
            )

        event = {
            "inputs": {seed, number, label, *temperatures},
            "outputs": [shown, self._drawn],
        }
        self._on(draw.click, sample, "sample", **event)
        self._on(self.blocks.load, sample, None, **event)
        # The field shows the seed that is drawn with.
        changed = following.click(
            lambda value: value + 1 if isinstance(value, int) else value,
            seed, seed, queue=False, show_progress="hidden", api_visibility="private",
        )  # fmt: skip
        self._on(changed.then, sample, None, **event)

    def _add_levels(self):
        if "level" in self._missing:
            gr.HTML(fragments.notes([self._missing["level"]]))
            return
        gr.Markdown(_WHAT_LEVELS_ARE)
        num_levels = self._handlers.explorer.num_levels
        titles = [self._handlers.level_title(level) for level in range(1, num_levels + 1)]
        level = gr.Radio([EVERY_LEVEL, *titles], value=EVERY_LEVEL, label="level to draw again")
        new_seed = gr.Number(1, label="new seed", precision=0)
        again = gr.Button("Draw again", variant="primary")
        shown = gr.HTML(elem_id="levels")
        self._on(
            again.click,
            lambda values, on_progress: self._handlers.draw_again(
                values[self._drawn], values[level], values[new_seed], on_progress
            ),
            "draw_again",
            {self._drawn, level, new_seed},
            [shown, new_seed],
        )

    def _add_path(self):
        num_test_images = self._handlers.num_test_images
        sources = [SAMPLES, TEST_IMAGES] if num_test_images else [SAMPLES]
        has_projection = "projection" not in self._missing
        gr.Markdown(f"{_WHAT_A_PATH_IS} {_WHAT_EQ_11_IS}" if has_projection else _WHAT_A_PATH_IS)
        with gr.Row(equal_height=True):
            source = gr.Radio(sources, value=sources[-1], label="images", min_width=240)
            first = gr.Number(0, label="from number", precision=0, min_width=110)
            second = gr.Number(1, label="to number", precision=0, min_width=110)
        projected = gr.Checkbox(False, label="points of Eq. 11, too", visible=has_projection)
        lines = [self._missing[name] for name in ("projection", "place") if name in self._missing]
        if lines:
            gr.HTML(fragments.notes(lines))
        go = gr.Button("Find the path", variant="primary")
        position = gr.Slider(0.0, 1.0, 0.5, step=1 / 16, label="position between the two images")
        shown = gr.HTML(elem_id="path")
        frames = gr.State(None)
        done = self._on(
            go.click,
            lambda values, on_progress: self._handlers.path(
                *(values[one] for one in (self._drawn, source, first, second, projected)),
                on_progress,
            ),
            "path",
            {self._drawn, source, first, second, projected},
            [shown, frames],
        )
        done.then(lambda: 0.5, None, position, queue=False, api_visibility="private")
        self._on(
            position.input,
            lambda values, _: self._handlers.point(values[frames], values[position]),
            "point",
            {frames, position},
            [shown],
            concurrency_id="point",
            show_progress="hidden",
            trigger_mode="always_last",
        )

    def _add_score(self):
        num_test_images = self._handlers.num_test_images
        with gr.Row():
            with gr.Column(scale=2, min_width=280):
                file = gr.File(
                    label="an image: PNG, JPEG, WebP or BMP", type="filepath", height=150
                )
                label = self._class_choice("class of the image", "the most probable one")
                has_images = num_test_images > 0
                number = gr.Number(
                    0, label=f"or a test image: 0 to {num_test_images - 1}", precision=0,
                    visible=has_images,
                )  # fmt: skip
                take = gr.Button("Take it", visible=has_images)
            with gr.Column(scale=5, min_width=300):
                lines = [self._missing[name] for name in ("map", "place") if name in self._missing]
                shown = gr.HTML(fragments.notes([_WHAT_A_SCORE_IS, *lines]), elem_id="score")
        self._on(
            file.upload,
            lambda values, on_progress: self._handlers.score_file(
                values[file], values[label], on_progress
            ),
            "score_file",
            {file, label},
            [shown],
        )
        self._on(
            take.click,
            lambda values, on_progress: self._handlers.score_test_image(
                values[number], values[label], on_progress
            ),
            "score_test_image",
            {number, label},
            [shown],
        )

    def _class_choice(self, label, meaning_of_any):
        """A choice of a class, hidden of a model without classes."""
        num_classes = self._handlers.explorer.num_classes or 0
        numbers = [(str(number), str(number)) for number in range(num_classes)]
        choices = [(meaning_of_any, _ANY_CLASS), *numbers]
        return gr.Dropdown(choices, value=_ANY_CLASS, label=label, visible=num_classes > 0)

    def _on(self, trigger, function, name, inputs, outputs, concurrency_id="model", **options):
        """Lets an event call a function of the inputs' values and a progress callback.

        The first output shows what it returns first, or what is wrong; then the others stay.
        """

        def handle(values, progress=gr.Progress()):  # noqa: B008
            result, line = answer(
                function, values, lambda done, total: progress((done, total), unit="")
            )
            if line is None:
                return result
            shown = fragments.problem(line)
            return shown if len(outputs) == 1 else (shown, *[gr.skip() for _ in outputs[1:]])

        return trigger(
            handle,
            inputs,
            outputs,
            # One after another: all threads share the cores.
            concurrency_id=concurrency_id,
            concurrency_limit=1,
            api_name=name,
            api_visibility="private" if name is None else "public",
            **options,
        )
