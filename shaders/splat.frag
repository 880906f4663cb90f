#version 330 core

const float MAX_ALPHA = 0.999;
const float MIN_ALPHA = 1.0 / 255.0;

flat in vec2 mean;
flat in vec4 whitening;
flat in vec3 tone;
out vec4 premultiplied;

void main() {
    vec2 d = gl_FragCoord.xy - mean;
    vec2 p = vec2(whitening.x * d.x + whitening.y * d.y, whitening.z * d.y);
    float alpha = min(MAX_ALPHA, exp2(whitening.w - dot(p, p)));
    if (alpha < MIN_ALPHA) {
        discard;
    }
    premultiplied = vec4(tone * alpha, alpha);
}
