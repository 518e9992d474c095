.version 9.0
.target sm_90a
.address_size 64
.set TILE, 16
.entry k() { ret; }
.host main {
  param tokens = 64;
  let x = tokesn / 2;
  let y = TILE * 2
  let z = (1 + 2;
  require tokens % ngpus == 0 "text";
  bufer b : f32[4];
  buffer b : f32[tokens, 4 = zeros;
  buffer c : f32[tokens] = normal(0, 1) sane;
  buffer d : f32[tokens] = normal (0, 1);
  for e in 0..4 {
    print e, "a" "b";
    launch k on all grid(1) blok(1) ();
    launch k on all grid(1);
    launch k on all grid(1) grid(2) block(1);
  }
  print e;
  launch k on all grid(1) block(1) gated g axis w (b);
  watch x;
  gate g groups 4 per gpu { watch b stride 4; bind x; } threshold 4 closes kernal k;
  rowsp r gpu 0 rows 4 at b;
  if tokens > 4 { print 1; } else if 2 { print 2; } esle { print 3; }
  let w = 3 $ 4;
  let v = @;
  let q = sm.count + b@0 + b@(1+2) - read(b@1, 3);
  each gpu g { sync on g;
}
