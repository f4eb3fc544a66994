-- Queries made by a random grammar over all types; each sorts by all that it shows.
CREATE TABLE gen_t (id int primary key, a int, b text, c numeric(10,2), d float8, e bool, f bigint, g smallint, h varchar(5));
CREATE TABLE gen_u (k bigint primary key, a int not null, s text, n numeric);
INSERT INTO gen_t VALUES
(0,-5,'',43.78,0,true,11,22,'c  '),
(1,NULL,'_X',-81.10,-0.1,false,-14,15,'bb'),
(2,14,'_b',36.07,1e-7,true,-12,-6,NULL),
(3,20,NULL,11.15,0,false,NULL,14,'é'),
(4,11,'aa_',94.03,-1.25,NULL,4,-24,'X'),
(5,-15,'a',NULL,-0.1,false,18,2,''),
(6,14,'Xa_',NULL,NULL,true,-7,19,''),
(7,9,'%X%é',-77.67,-1.25,false,104869772,-5,'%é'),
(8,-14,'aX',51.79,-0.1,true,-1598459473,11,''),
(9,17,'',-23.10,-0.1,true,NULL,-21,'b%ab'),
(10,NULL,'',64.33,1e10,true,-16,NULL,'bc_'),
(11,0,'X',12.72,-0.1,true,19,11,' %'),
(12,-7,'c',-62.33,3.14159,false,780668239,-19,'%%'),
(13,5,'',39.45,3.14159,false,19,-29,'é_'),
(14,16,NULL,NULL,1e10,true,8,-21,'é  '),
(15,-4,'c',79.03,0.5,false,17,NULL,'b%a'),
(16,NULL,NULL,20.35,0.5,false,-18,20,'c'),
(17,-3,'ab',-6.81,-0.1,true,NULL,16,'_b '),
(18,-6,' é _',-19.29,0.5,NULL,18,-29,''),
(19,7,'Xé ',96.14,3.14159,false,6,-29,''),
(20,-39792496,'bé%b',20.04,1e10,true,NULL,5,'b '),
(21,-20,'_X',86.43,0.5,false,-18,-29,'%X%'),
(22,1340002266,'X_',40.34,0.5,true,NULL,-22,''),
(23,-5,'c_b ',34.28,3.14159,false,-18,-5,''),
(24,NULL,' ccé',-64.08,0.5,NULL,-3,-21,'_'),
(25,9,' a',-69.29,0,true,-14,-3,' ba'),
(26,-2,'é ',NULL,-0.1,false,1,29,''),
(27,4,'c',-96.50,3.14159,NULL,-416727720,-11,NULL),
(28,-6,'aX',18.87,0,false,17,NULL,'%%Xa'),
(29,-14,NULL,-48.43,-1.25,true,15,8,''),
(30,4,'a',42.12,1e-7,false,-7,24,'bca'),
(31,-5,'',69.79,3.14159,false,-1,-13,NULL),
(32,NULL,'_',-69.46,0.5,true,-16,NULL,''),
(33,11,'',73.58,-0.1,NULL,-20,NULL,''),
(34,-5,'% b',-91.95,-1.25,true,-7,-20,'c'),
(35,-17,'  c',NULL,0,true,3,-18,'b '),
(36,-18,'',NULL,1e10,NULL,4,11,'b'),
(37,-4,'ca_%',70.12,3.14159,NULL,10,4,'_'),
(38,1713343695,'éc_ ',16.22,0,true,NULL,3,'X%b_'),
(39,-12,NULL,-14.29,3.14159,false,3,20,'%a '),
(40,NULL,'éé ',64.54,0.5,false,12,-28,'a'),
(41,-15,'',-53.86,1e10,true,4,-21,' a'),
(42,11,NULL,-78.88,1e10,false,0,29,'bXa_'),
(43,-2,'bé_',96.28,1e10,true,-13,-5,'X%c'),
(44,18,' aéa',-52.72,-1.25,true,-20,-12,' éX'),
(45,-5,' Xc',-95.77,-1.25,false,-8,25,''),
(46,16,NULL,-24.56,0.5,false,1846413441,NULL,'a_a_'),
(47,-13,'acX',-56.07,1e10,false,-13,NULL,''),
(48,-15,'cabX',-53.59,1e10,false,18,10,''),
(49,-16,'X%éé',40.58,1e10,true,-20,NULL,' b');
INSERT INTO gen_t VALUES
(50,1705571889,'c_b',-64.57,3.14159,true,-18,-5,''),
(51,NULL,'é ',-32.36,0.5,true,-10,NULL,'éc'),
(52,14,' _b',95.19,0.5,false,-2,NULL,'c'),
(53,17,'_',17.11,1e10,NULL,17,24,NULL),
(54,-20,'é_%a',97.38,-1.25,true,-6,-24,' _'),
(55,-4,'%XXa',-33.65,0.5,NULL,-3,-29,NULL),
(56,19,'Xa_X',-59.10,1e-7,false,17,10,'%cc'),
(57,18,'bé',74.74,1e10,NULL,NULL,15,' ca'),
(58,NULL,NULL,-25.59,NULL,true,-9,16,'éé'),
(59,752293229,'',-86.80,0.5,true,NULL,21,' b'),
(60,1288296301,'cX',NULL,NULL,true,-2,-14,'_céb'),
(61,-2,' é%%',-4.37,1e10,true,NULL,12,''),
(62,NULL,NULL,NULL,3.14159,false,-14,8,NULL),
(63,-18,NULL,-26.02,1e-7,NULL,12,-6,'bXé'),
(64,20,' ',-72.62,NULL,false,7,-27,''),
(65,-10,'',-23.26,NULL,true,17,17,''),
(66,-3,'bbc',88.74,0.5,NULL,2,4,'aéé'),
(67,18,'bc_',49.60,NULL,NULL,-760137784,-13,'X'),
(68,-5,NULL,45.84,-1.25,true,-20,15,NULL),
(69,-18,'Xa',-39.67,0,true,11,5,'a '),
(70,5,' ',-48.21,0,NULL,NULL,28,'c_'),
(71,13,'aa',NULL,0.5,false,16,13,'é%'),
(72,10,'b',53.51,0,false,14,28,'é'),
(73,8,'%cX',36.69,-1.25,true,-6,-13,NULL),
(74,18,'',-77.93,-0.1,true,4,-16,''),
(75,-553774532,'ba_%',-33.57,0,NULL,7,15,' %'),
(76,-4,'ba',-69.42,-0.1,true,-7,15,'_'),
(77,20,'b',NULL,0,true,3,-30,''),
(78,-5,'%b%a',NULL,1e10,false,-12,24,'éXa'),
(79,773924894,'éX',66.74,1e10,false,10,-28,'%c '),
(80,NULL,'%',-70.45,3.14159,true,10,21,'%%'),
(81,4,'éa_',NULL,1e10,true,-8,23,'ac'),
(82,NULL,'%',NULL,1e10,false,-13,27,''),
(83,-9,'',56.99,0,NULL,-3,0,''),
(84,3,'c_',NULL,-0.1,false,14,12,'éa%'),
(85,11,'cc ',78.27,0,NULL,7,-16,''),
(86,NULL,' _é',34.72,0.5,NULL,-5,NULL,'_'),
(87,-17,'%b',66.83,1e10,true,18,8,'X'),
(88,16,'%',11.71,1e10,false,4,14,NULL),
(89,-1769944736,'',-12.14,-0.1,NULL,0,-27,''),
(90,5,' _',13.41,NULL,false,-9,-28,'cé_é'),
(91,-2,'',47.36,0.5,false,-16,14,NULL),
(92,NULL,'é_aa',-2.80,-0.1,false,-20,-2,'bc'),
(93,-15,'%caa',NULL,NULL,false,20,-29,''),
(94,13,'',-3.59,3.14159,false,-14,-22,'%'),
(95,11,'%éaé',40.37,-1.25,NULL,-17,NULL,'% é '),
(96,8,'c%',-54.47,0.5,true,17,-30,'cXX'),
(97,829776835,NULL,-42.79,0,false,-18,-21,'cc%'),
(98,-6,'_é',98.61,-1.25,true,1,NULL,''),
(99,NULL,'',-55.08,3.14159,false,15,-4,'XXXX');
INSERT INTO gen_t VALUES
(100,-5,'écbc',50.88,-1.25,true,20,-15,'  % '),
(101,12,'_bX',-11.31,-0.1,NULL,-9,-8,'c'),
(102,-15,'b%X',20.14,-1.25,false,-2,9,''),
(103,8,'X',21.57,-1.25,true,-9,NULL,'_cX'),
(104,-12,'',80.23,0.5,false,-9,-3,' c_%'),
(105,-4,'%éé',28.04,1e-7,true,9,-22,' '),
(106,7,'',NULL,0,true,-9,-29,' bé'),
(107,5,'b ac',94.21,3.14159,false,18,18,'é'),
(108,11,'',13.61,3.14159,true,12,NULL,'_ba'),
(109,1,'%c',-43.20,NULL,NULL,-5,25,NULL),
(110,15,' a_X',NULL,1e-7,true,6,-23,'%'),
(111,-19,'   ',92.84,0.5,false,NULL,-16,NULL),
(112,12,'',-86.41,3.14159,true,-3,0,'a'),
(113,-16,'_é c',89.62,1e10,true,-19,28,'Xb%'),
(114,NULL,'%',89.90,NULL,false,-13,-29,'b'),
(115,-19,'é cb',-42.63,0.5,false,NULL,-9,'%_é'),
(116,5,NULL,78.91,-1.25,true,15,12,'Xé'),
(117,-4,'c',NULL,1e10,true,18,23,' '),
(118,-4,'%XX',41.06,1e10,false,-1,17,'b'),
(119,10,'XXX_',7.56,1e-7,true,-3,-9,'b_  '),
(120,NULL,'bbX',-85.22,1e-7,true,-16,0,' %%'),
(121,-3,'',-64.44,0.5,true,3,-21,'é'),
(122,-2,'aaX%',59.49,1e-7,false,8,4,NULL),
(123,-20,NULL,-32.73,0,false,5,-12,NULL),
(124,19,'__b',-57.55,-0.1,true,2,10,''),
(125,-2,'_ _',7.36,0.5,false,-15,0,NULL),
(126,16,' ',NULL,1e-7,false,-17,NULL,'Xb'),
(127,-15,NULL,-36.03,1e-7,NULL,7,-28,''),
(128,-20,'',32.59,-0.1,true,964305265,-22,'%Xaé'),
(129,20,'é_',NULL,1e10,true,NULL,0,'_%é'),
(130,11,NULL,78.78,-0.1,false,2146749595,-4,''),
(131,-3,'c',-70.25,0.5,false,NULL,10,''),
(132,-13,'',-79.23,NULL,false,-13,NULL,''),
(133,5,'c_X_',-23.00,-0.1,true,1,16,' X'),
(134,20,' aX_',7.66,1e10,false,16,15,'aX'),
(135,-20,'%',76.49,0.5,false,11,-30,''),
(136,14,'',-91.14,-0.1,true,3,22,''),
(137,960023923,'_cX%',-39.11,1e10,true,-1504095093,11,'_a_'),
(138,6,'%',-86.88,1e-7,false,-1606618821,10,' _'),
(139,-12,'X',-46.43,1e10,true,NULL,23,''),
(140,16,'cac',5.08,NULL,true,NULL,9,'%'),
(141,-16,'éc ',-73.14,0,true,-16,0,' b%_'),
(142,-10,' X',-9.81,1e-7,true,3,22,'a_éc'),
(143,20,'X',-28.11,1e10,false,17,-26,'X XX'),
(144,6,'a',-59.79,NULL,true,14,9,NULL),
(145,373831717,'%Xb',-38.65,NULL,false,-1,16,' '),
(146,15,'cb',NULL,1e-7,false,14,-12,''),
(147,-9,'',89.80,1e-7,false,-14,-25,''),
(148,9,'XX',83.56,0,true,3,-23,' b c'),
(149,3,'c',55.15,3.14159,false,1,-18,'Xb');
INSERT INTO gen_t VALUES
(150,-11,'Xba',58.51,3.14159,false,-6,-21,'ca '),
(151,2,NULL,18.89,0.5,true,-3,16,NULL),
(152,NULL,'',-21.50,0,true,-6,NULL,''),
(153,-1718344732,'%',-64.61,1e-7,true,17,21,'%%'),
(154,NULL,' c',-83.74,-1.25,NULL,NULL,-3,'Xcb%'),
(155,2,'X_X',40.99,NULL,false,18,NULL,'ca_%'),
(156,6,'acc',-20.81,-1.25,true,-14,-30,NULL),
(157,-1685976621,'c ',61.25,0.5,true,-12,-4,'_%X'),
(158,5,'b',25.90,3.14159,true,-9,NULL,''),
(159,-13,' caa',-18.58,0,false,NULL,1,'a%'),
(160,-1,'é_ %',NULL,NULL,false,-10,20,'X'),
(161,1595945460,'éc ',-69.71,NULL,true,-9,22,'X%c%'),
(162,19,'b%',79.79,1e10,false,-15,NULL,NULL),
(163,9,'c',57.37,1e-7,false,16,-12,NULL),
(164,18,'%X',16.10,1e-7,false,NULL,4,'écé%'),
(165,19,'c%',-13.26,NULL,true,NULL,-13,'b'),
(166,-10,'%X a',-8.01,1e-7,true,-12,26,'é__X'),
(167,NULL,'XX%',NULL,-0.1,false,-17,-14,''),
(168,NULL,'a',39.59,1e10,false,-17,30,'b'),
(169,0,NULL,78.77,1e-7,false,-8,-21,'__'),
(170,-8,'bé_c',-27.90,1e10,NULL,NULL,-22,''),
(171,-823007515,'',-9.53,0,false,1,NULL,'% '),
(172,10,' _c ',NULL,-1.25,NULL,-3,3,'_bac'),
(173,-13,'cé',52.23,1e10,true,6,24,'Xé'),
(174,14,'X',-23.50,0.5,true,-7,-11,'%'),
(175,-20,'é',19.69,NULL,false,4,22,'  é'),
(176,-12,NULL,58.64,NULL,false,-159847106,-12,'é'),
(177,-16,NULL,-2.25,0.5,true,8,-1,'é__ '),
(178,-19,'béc',47.36,-0.1,true,8,18,'abé'),
(179,NULL,'X ',37.83,1e10,true,8,-17,'é%'),
(180,-2,'a',-96.09,0.5,true,NULL,-5,'Xé'),
(181,2,'c',NULL,3.14159,true,-5,10,'%'),
(182,-2,'b_X',33.05,NULL,true,90878901,16,'b '),
(183,5,'a ',-87.98,0,true,1,14,'a'),
(184,-17,' c_',-1.51,-1.25,true,20,9,'%X'),
(185,-18,'cac',NULL,3.14159,false,14,-30,''),
(186,16,'X',-79.88,1e10,true,NULL,8,'bc_c'),
(187,NULL,'éX',NULL,NULL,false,20,-29,'cé__'),
(188,5,'é%c',-82.68,-1.25,true,-19,-1,'baéb'),
(189,2,'céé',74.18,-0.1,true,NULL,-14,'céc'),
(190,-20,' ',NULL,NULL,true,NULL,12,''),
(191,15,'%',-60.67,0,true,NULL,-16,' éb'),
(192,-16,'_é_X',71.07,-0.1,true,2,-29,''),
(193,1341936258,'aa a',-40.22,-1.25,true,NULL,10,'_a b'),
(194,20,'abé',57.28,3.14159,false,1311409798,4,'b cé'),
(195,-544083182,'a%c_',NULL,-1.25,true,-7,2,'c '),
(196,-19,'',43.21,1e10,false,-11,NULL,'aX_'),
(197,1324642286,NULL,-78.02,NULL,false,NULL,-15,''),
(198,-4,'%é_',68.26,-0.1,false,7,3,NULL),
(199,NULL,'bb',NULL,-0.1,false,1846030646,28,'%');
INSERT INTO gen_u VALUES
(0,-6,NULL,-28.07),
(1,-18,'% ',-55.63),
(2,14,'',86.69),
(3,-10,'%b',95.89),
(4,8,'b_',67.74),
(5,2,'_',-98.79),
(6,-5,'é_',NULL),
(7,-20,'a ',-2.27),
(8,17,'cébb',NULL),
(9,-19,'',-23.77),
(10,10,'ccc',80.97),
(11,17,'%',-40.75),
(12,-4,'bé _',-47.00),
(13,-1,' éa',16.29),
(14,-14,'_c__',-65.27),
(15,-7,'_é_ ',70.71),
(16,-15,'',-57.81),
(17,-3,'cé%b',NULL),
(18,-7,NULL,65.54),
(19,19,' é',-76.06),
(20,-20,'cab%',65.05),
(21,17,'bcaa',6.27),
(22,1,'a  ',NULL),
(23,-15,'c%',9.18),
(24,-5,'b ',NULL),
(25,19,'b%X ',49.27),
(26,1,NULL,-35.81),
(27,12,'a',63.60),
(28,-12,'c',-16.79),
(29,0,'a_',-66.02),
(30,-13,'b',NULL),
(31,-5,'',NULL),
(32,-19,'',-48.61),
(33,-10,'',43.32),
(34,19,NULL,-20.93),
(35,0,'b ',-99.11),
(36,-13,'_X',13.04),
(37,-14,'Xa',69.90),
(38,-3,'%c',93.58),
(39,-20,'cc ',-25.64),
(40,-9,' % ',-55.37),
(41,20,'__',7.73),
(42,2,'aé',39.01),
(43,-4,'',-61.61),
(44,-20,'a_X',1.31),
(45,9,NULL,NULL),
(46,-10,'a',84.34),
(47,-6,'_',22.88),
(48,3,'Xbb',-9.13),
(49,7,'a_ca',-8.92),
(50,-3,'bébé',19.81),
(51,-9,'éaX_',-10.25),
(52,-17,'',NULL),
(53,-14,'%c é',NULL),
(54,-7,' ab',76.74),
(55,0,'éb',-11.86),
(56,-12,'b b',-90.18),
(57,-17,'%',NULL),
(58,20,'Xbé',NULL),
(59,12,'',25.76);
SELECT u.k, t.h, count(*), bool_or((t.b LIKE '%')) FROM gen_u u JOIN gen_t t ON t.id < u.k AND u.a > 5 WHERE (t.b IS NOT NULL) GROUP BY u.k, t.h ORDER BY 3 DESC NULLS FIRST, 1 NULLS FIRST, 2 DESC, 4 LIMIT 25 OFFSET 1;
SELECT id FROM gen_t t ORDER BY 1 OFFSET 3;
SELECT bool_or((c BETWEEN c AND NULL::numeric)), bool_or((0.5 <= d)), min((0 + g)), avg(coalesce(g, g)) FROM gen_t t ORDER BY 4 NULLS FIRST, 1 NULLS FIRST, 2 NULLS LAST, 3 NULLS FIRST;
SELECT (f)::text, g FROM gen_t t ORDER BY 1 DESC NULLS FIRST, 2 DESC OFFSET 2;
SELECT ((coalesce(1e-7, (-1.25)))::int2 + 23) FROM gen_u u ORDER BY 1 NULLS LAST;
SELECT t.h, ((coalesce(18, t.f) / nullif((u.k * t.f),0)))::float8, (length(t.b))::int2, least((t.d * t.d), 5) FROM gen_t t JOIN gen_u u ON t.a = u.a AND t.b = u.s WHERE (t.e IS NOT NULL) ORDER BY 1 DESC, 2, 4 NULLS FIRST, 3 NULLS LAST LIMIT 25;
SELECT reverse(concat(s, NULL::bool)), CASE WHEN (least(n, 5) <> CASE WHEN ((-12) > (-6)) THEN n ELSE n END) THEN ((0 / 3))::float8 ELSE ((1e10 - (-21.73)) - 0) END FROM gen_u u WHERE k > 57 ORDER BY 1 DESC, 2 DESC NULLS LAST LIMIT 24;
SELECT g, coalesce(d, d), NULL::int2 FROM gen_t t WHERE ((id - NULL::int4) BETWEEN (a - (id * a)) AND a) ORDER BY 2, 1 NULLS FIRST, 3 DESC NULLS LAST;
SELECT f, (((-5) * a))::int2 FROM gen_t t WHERE id > 30 AND id = 67 ORDER BY 2 DESC, 1 NULLS FIRST;
SELECT u.n, u.a, count(*) FROM gen_t t JOIN gen_u u ON t.a = u.a AND t.b = u.s WHERE (t.h NOT LIKE 'bb') AND t.id > 10.5 GROUP BY u.n, u.a ORDER BY 1 NULLS FIRST, 2 NULLS LAST, 3 DESC NULLS LAST;
SELECT h, id, bool_or((37.37 <= (-33.41))), count(DISTINCT (70.85 / 3)), sum((29 + g)) FILTER (WHERE (11.31 BETWEEN c AND c)), avg((f + f)) FROM gen_t t WHERE id <= 6 GROUP BY h, id ORDER BY 1 NULLS LAST, 2 NULLS LAST, 4, 6 NULLS FIRST, 3 DESC, 5 NULLS LAST LIMIT 27;
SELECT lpad(('Xb_b' || true), 4, 'z'), ((CASE WHEN (t.a < t.id) THEN 7 ELSE u.a END)::float8)::int4 FROM gen_u u JOIN gen_t t ON t.id = u.k WHERE (t.b LIKE 'a') ORDER BY 2 DESC NULLS FIRST, 1 NULLS FIRST;
SELECT count(a), min((k * (-1.25))), avg((k * k)) FROM gen_u u WHERE false ORDER BY 3 DESC, 2 DESC, 1 LIMIT 29;
SELECT (g * (-9)), ((f - f))::text, (CASE WHEN (d <= d) THEN f ELSE f END * f), (((c)::float8)::int4)::int2 FROM gen_t t ORDER BY 4 DESC NULLS LAST, 1 NULLS FIRST, 2 DESC, 3 NULLS LAST LIMIT 27;
SELECT (-9), t.e, greatest(u.k, 1), t.c FROM gen_u u JOIN gen_t t ON t.c = u.n WHERE (ceil(t.c) <= (u.n * 5.15)) AND u.k = 5 ORDER BY 1 DESC, 2 NULLS LAST, 4, 3 NULLS LAST;
SELECT coalesce((n + n), coalesce(n, n)), coalesce((a / 2), a) FROM gen_u u WHERE k > 28 ORDER BY 2, 1 DESC NULLS LAST LIMIT 26 OFFSET 3;
SELECT concat(CASE WHEN (1e-7 >= 3.14159) THEN s ELSE s END, (n)::int4), (concat(s, length(s)) || false) FROM gen_u u ORDER BY 1 NULLS FIRST, 2 NULLS LAST LIMIT 22;
SELECT f, max((6)::int2), sum(DISTINCT greatest(a, 1)) FROM gen_t t WHERE ((a)::int8 > 8) AND id < 10.5 GROUP BY f ORDER BY 2 DESC NULLS LAST, 1 DESC NULLS LAST, 3 DESC LIMIT 15;
SELECT lpad(u.s, 4, 'z'), t.c FROM gen_u u JOIN gen_t t ON t.a = u.a AND t.b = u.s WHERE t.e ORDER BY 1 DESC, 2 DESC OFFSET 0;
SELECT ('' || t.a), CASE WHEN (CASE WHEN (t.c >= u.n) THEN t.h ELSE u.s END = (t.b || u.s)) THEN ((t.g / nullif(t.g,0)) * CASE WHEN t.e THEN 21 ELSE t.g END) ELSE t.g END, coalesce(t.a, t.id) FROM gen_t t JOIN gen_u u ON t.f = u.k WHERE (u.k <> 1) ORDER BY 1 DESC NULLS LAST, 3 DESC NULLS LAST, 2 NULLS FIRST;
SELECT f, count(a), max(((-15.51) - g)) FROM gen_t t WHERE ((g + g) <= abs(g)) GROUP BY f ORDER BY 1 DESC NULLS FIRST, 3 NULLS FIRST, 2;
SELECT b, (f + 2) FROM gen_t t WHERE ((id + (-57.75)) IS NOT NULL) AND id = 5 ORDER BY 2 DESC NULLS LAST, 1 DESC NULLS LAST LIMIT 26;
SELECT trunc(c) FROM gen_t t WHERE id = 63 ORDER BY 1 DESC NULLS FIRST;
SELECT (-2112784849), (d / 3) FROM gen_t t WHERE (b ILIKE 'X') ORDER BY 2 DESC NULLS LAST, 1 NULLS LAST LIMIT 14;
SELECT h, a FROM gen_t t ORDER BY 2 NULLS FIRST, 1 DESC OFFSET 9;
SELECT (t.c <= (-76.90)) FROM gen_t t JOIN gen_u u ON t.a = u.a AND (t.d >= t.d) ORDER BY 1 DESC NULLS LAST LIMIT 10;
SELECT s, (n + n), n FROM gen_u u WHERE (abs(((-11) / nullif(k,0))) < k) ORDER BY 2 DESC, 1 DESC NULLS LAST, 3 LIMIT 11;
SELECT ((t.f * t.d))::float8, ((t.f - t.c) / 3) FROM gen_u u JOIN gen_t t ON t.a = u.a AND t.b = u.s WHERE t.id > 7 ORDER BY 1 DESC, 2 DESC NULLS LAST;
SELECT u.k, max((t.b || 1486904613)), min(t.d) FROM gen_u u JOIN gen_t t ON t.a = u.a AND t.b = u.s WHERE ((t.b NOT LIKE '_a') OR (t.e AND t.e)) AND t.id > 5 GROUP BY u.k ORDER BY 1 NULLS FIRST, 2 DESC, 3 DESC NULLS FIRST LIMIT 29 OFFSET 1;
SELECT b FROM gen_t t WHERE id >= 41 AND id < 60 ORDER BY 1 NULLS LAST;
SELECT DISTINCT lpad(s, 4, 'z'), (-807534187), a FROM gen_u u WHERE true ORDER BY 1 NULLS FIRST, 2 DESC, 3 NULLS FIRST LIMIT 20;
SELECT ((t.g / 3) / 2), greatest(coalesce(u.k, u.k), 1), coalesce(t.h, u.s) FROM gen_u u JOIN gen_t t ON t.a = u.a AND t.b = u.s ORDER BY 1 DESC, 3 DESC, 2 NULLS FIRST;
SELECT u.s, bool_or((t.g <> t.g)) FROM gen_t t JOIN gen_u u ON t.g = u.a WHERE t.id > 32 GROUP BY u.s ORDER BY 1 NULLS FIRST, 2 LIMIT 27;
SELECT max(lpad(u.s, 4, 'z')) FROM gen_u u JOIN gen_t t ON t.id < u.k AND u.a > 5 WHERE (t.d <> t.d) ORDER BY 1 NULLS FIRST LIMIT 6;
SELECT DISTINCT '', ((-3))::int8 FROM gen_t t WHERE ((greatest((-12), 1))::text >= reverse((f)::text)) ORDER BY 2 DESC NULLS FIRST, 1 DESC NULLS LAST;
SELECT (u.k + u.k), t.b, CASE WHEN (u.n = t.c) THEN (- t.g) ELSE (t.c)::int2 END FROM gen_u u JOIN gen_t t ON t.f = u.k WHERE (((t.h || t.e) >= coalesce(t.h, u.s)) AND (t.b ILIKE 'ab')) AND u.k = 10.5 ORDER BY 2 DESC, 1 DESC, 3 NULLS LAST LIMIT 20 OFFSET 3;
SELECT s, k, sum((n)::int4), max((s || false)) FROM gen_u u WHERE (s ILIKE '%') GROUP BY s, k ORDER BY 3, 2 NULLS FIRST, 4, 1 DESC LIMIT 4 OFFSET 0;
SELECT h, abs(8.54) FROM gen_t t WHERE (id <= a) ORDER BY 2 NULLS LAST, 1 DESC NULLS LAST LIMIT 20;
SELECT concat(t.b, t.e), (coalesce(t.g, t.g) / 2), t.h, coalesce(length(concat(u.s, t.e)), length(t.h)) FROM gen_t t JOIN gen_u u ON t.a = u.a AND t.b = u.s WHERE t.e ORDER BY 1, 3 NULLS FIRST, 2 DESC NULLS FIRST, 4;
SELECT y.d, x.e, min((y.f - x.c)), sum((- x.f)) FILTER (WHERE ((x.g >= y.g) OR (x.c <= y.c))) FROM gen_t x JOIN gen_t y ON x.a = y.id GROUP BY y.d, x.e HAVING min(x.id) IS NOT NULL ORDER BY 2 NULLS LAST, 3 NULLS FIRST, 4 DESC NULLS LAST, 1 NULLS LAST LIMIT 26;
SELECT sum((n + n)) FILTER (WHERE ('a' ILIKE 'X%a')) FROM gen_u u WHERE (coalesce((25 + 26), (26 / 2)) <> (-18)) AND k > 5 AND k IN (12,38,59,35,78) ORDER BY 1 DESC NULLS LAST LIMIT 6;
SELECT (g)::float8 FROM gen_t t WHERE ((g / 2) < (g * g)) ORDER BY 1 NULLS FIRST;
SELECT (h || CASE WHEN (a >= 14) THEN (-16) ELSE id END), g, e FROM gen_t t ORDER BY 1 NULLS LAST, 3, 2 LIMIT 25;
SELECT t.b, max(CASE WHEN (u.s < ' ') THEN t.c ELSE t.c END), min((t.d - t.d)), min((t.d / 2)), max(''), (count(*)) + 1 FROM gen_t t JOIN gen_u u ON t.g = u.a WHERE t.e GROUP BY t.b ORDER BY 1 DESC NULLS FIRST, 2, 4 NULLS LAST, 5 DESC NULLS LAST, 3 DESC, 6 LIMIT 12;
SELECT e, concat(CASE WHEN (g >= g) THEN b ELSE b END, (h > b)) FROM gen_t t WHERE id > 23 ORDER BY 2 DESC NULLS LAST, 1 LIMIT 26;
SELECT a, b, (coalesce((h || id), reverse(h)) || e) FROM gen_t t WHERE (NOT e) ORDER BY 3 DESC NULLS LAST, 1 NULLS LAST, 2 DESC;
SELECT DISTINCT CASE WHEN (x.h = x.b) THEN (-9) ELSE x.id END, concat(lpad(x.b, 4, 'z'), x.e), (y.a * length('')) FROM gen_t x JOIN gen_t y ON x.a = y.id ORDER BY 2 NULLS FIRST, 3 DESC NULLS FIRST, 1 DESC NULLS LAST OFFSET 9;
SELECT DISTINCT g, h, false FROM gen_t t WHERE ((f <= f) OR (h >= b)) ORDER BY 3 DESC NULLS LAST, 2 NULLS FIRST, 1 NULLS LAST LIMIT 26;
SELECT DISTINCT coalesce(a, (id * a)), abs(CASE WHEN e THEN (g - g) ELSE g END), coalesce(((a <= 0))::text, coalesce(coalesce(h, b), CASE WHEN (c > (-86.89)) THEN b ELSE b END)), f FROM gen_t t WHERE id <= 64 ORDER BY 3 NULLS FIRST, 1 NULLS LAST, 4, 2 DESC LIMIT 10 OFFSET 10;
SELECT ((2 - t.f) - coalesce(1e-7, t.d)) FROM gen_u u JOIN gen_t t ON t.f = u.k ORDER BY 1 DESC;
SELECT substr(b,2,2), c FROM gen_t t WHERE id < 6 ORDER BY 2 NULLS LAST, 1 DESC NULLS LAST LIMIT 28;
SELECT c FROM gen_t t WHERE ((-14) <> (-2)) AND id IN (49,42,9,9,79) ORDER BY 1 DESC;
SELECT (u.k * (t.c)::int4), (t.f <= t.f), (((t.f / nullif(NULL::int8,0)))::float8 > t.d), t.d FROM gen_t t JOIN gen_u u ON t.f = u.k WHERE ((t.id BETWEEN t.a AND u.a) OR ('éé%%' <= t.h)) ORDER BY 2, 3 NULLS FIRST, 1 NULLS FIRST, 4 DESC NULLS LAST LIMIT 1;
SELECT CASE WHEN (CASE WHEN ((-3) >= 8) THEN 90.84 ELSE n END >= (98.87 - n)) THEN CASE WHEN ('' = s) THEN lower(s) ELSE right(s,2) END ELSE reverse((s || s)) END FROM gen_u u WHERE ((1e-7 > (-0.1)) OR (CASE WHEN (k < k) THEN s ELSE s END LIKE '_aXa')) ORDER BY 1 NULLS FIRST OFFSET 4;
SELECT (c + (c - c)), h FROM gen_t t WHERE e AND id = 10 ORDER BY 1 DESC, 2 DESC NULLS LAST LIMIT 1;
SELECT y.d FROM gen_t x JOIN gen_t y ON x.a = y.id WHERE (((x.a - (-1802712685)) - ((-27))::float8) > y.a) ORDER BY 1 DESC NULLS FIRST LIMIT 22;
SELECT a, sum((NULL::int2)::int2), count(s), min((k / 3)), min(CASE WHEN (s <= s) THEN (-21) ELSE NULL::int2 END) FROM gen_u u WHERE (a BETWEEN a AND (-20)) GROUP BY a ORDER BY 4 NULLS LAST, 3 DESC NULLS FIRST, 1 DESC NULLS LAST, 2 DESC NULLS FIRST, 5 DESC NULLS LAST OFFSET 7;
SELECT DISTINCT h, ((c < 25.18) AND e), (concat(NULL::text, CASE WHEN (id >= a) THEN a ELSE a END) || (- CASE WHEN (f >= f) THEN NULL::int4 ELSE id END)) FROM gen_t t WHERE id < 6 ORDER BY 2 NULLS LAST, 1 DESC NULLS LAST, 3 NULLS FIRST LIMIT 13;
SELECT DISTINCT true, true, id, (c + c) FROM gen_t t WHERE (id <> a) ORDER BY 2 DESC, 1, 3 NULLS LAST, 4 LIMIT 21;
SELECT DISTINCT t.h FROM gen_t t JOIN gen_u u ON t.id < u.k AND u.a > 5 ORDER BY 1 DESC NULLS LAST LIMIT 18 OFFSET 8;
SELECT (15 - (-8)), NULL::varchar, k, lpad(s, 4, 'z') FROM gen_u u WHERE k > -3 AND k > 10.5 ORDER BY 3, 4 NULLS LAST, 2 DESC NULLS LAST, 1 DESC NULLS FIRST LIMIT 11;
SELECT a, coalesce(5, id), min((id)::int8), count(DISTINCT ((-869732408) + g)) FROM gen_t t WHERE (coalesce((h || b), (h || id)) <= concat(b, (-9))) GROUP BY a, coalesce(5, id) ORDER BY 1 NULLS LAST, 4, 2 NULLS FIRST, 3 DESC NULLS LAST LIMIT 26;
SELECT NULL::int2, trunc(floor(n)), (s NOT IN (s, s, 'b ')), NULL::float8 FROM gen_u u WHERE k >= 11 ORDER BY 3 DESC NULLS FIRST, 1 DESC NULLS LAST, 2 DESC NULLS FIRST, 4 DESC NULLS FIRST OFFSET 6;
SELECT (CASE WHEN (1e10 < 1e10) THEN k ELSE k END - ((-4) + k)), (k * n), (((-21) - (1e-7)::int2) = (((-17) * 27) + (24 - 2))), (coalesce(a, a) + (18)::float8) FROM gen_u u ORDER BY 3 DESC NULLS FIRST, 2 DESC, 1, 4 DESC NULLS FIRST;
SELECT (- (a / 3)) FROM gen_t t ORDER BY 1 NULLS FIRST OFFSET 8;
SELECT e, b, sum((c * (-53.55))) FILTER (WHERE (('b ' < b) AND e)), sum(coalesce(10, f)) FROM gen_t t WHERE e AND id = 54 GROUP BY e, b ORDER BY 3, 2 DESC NULLS FIRST, 1 DESC, 4 DESC NULLS LAST LIMIT 12;
SELECT DISTINCT (u.a)::int2, t.e, t.h, t.h FROM gen_t t JOIN gen_u u ON t.id = u.k ORDER BY 1 DESC NULLS LAST, 3 DESC NULLS LAST, 2 DESC NULLS FIRST, 4 LIMIT 11;
SELECT b, e, sum(DISTINCT coalesce((-12), f)), bool_or((f <= f)) FROM gen_t t WHERE (((-9) > f) OR (g <= g)) GROUP BY b, e HAVING min(id) IS NOT NULL ORDER BY 1 NULLS LAST, 3 DESC NULLS LAST, 4, 2 LIMIT 29 OFFSET 2;
SELECT t.a, concat('b', CASE WHEN (t.f > t.f) THEN (t.a * 12) ELSE (t.id / 3) END), (t.d * t.d), CASE WHEN t.e THEN u.k ELSE ((t.f - 5) + u.k) END FROM gen_u u JOIN gen_t t ON t.g = u.a ORDER BY 3 DESC NULLS LAST, 4 NULLS LAST, 1 DESC, 2 LIMIT 6;
SELECT t.h, ((t.g)::int8)::int4, u.a, (upper(t.b) || lpad(u.s, 4, 'z')) FROM gen_t t JOIN gen_u u ON t.a = u.a AND t.b = u.s WHERE (((u.k)::int4 <= least(t.id, 5)) OR ((t.d = 0) AND (t.d > t.d))) ORDER BY 2 NULLS FIRST, 4 NULLS FIRST, 3 NULLS FIRST, 1 NULLS FIRST LIMIT 22;
SELECT NULL::int2 FROM gen_t t JOIN gen_u u ON t.c = u.n WHERE (CASE WHEN (t.e OR (u.s <= t.b)) THEN t.c ELSE CASE WHEN ((-4) >= t.id) THEN t.c ELSE (-35.88) END END >= floor((u.n + u.k))) ORDER BY 1 NULLS LAST LIMIT 10;
SELECT length(('   ' || (n / nullif(n,0)))), (s || true), length((upper(s) || greatest(a, 1))), 'c' FROM gen_u u ORDER BY 3 DESC NULLS FIRST, 4 NULLS LAST, 2, 1 NULLS LAST LIMIT 12;
SELECT length((h || (c / 3))) FROM gen_t t WHERE (lower(h) <= lpad(h, 4, 'z')) ORDER BY 1 NULLS LAST LIMIT 9;
SELECT t.h, ((t.f / 2))::text, t.a FROM gen_u u JOIN gen_t t ON t.a = u.a AND (u.k >= u.k) WHERE (t.e OR t.e) ORDER BY 2 NULLS FIRST, 3, 1 NULLS LAST;
SELECT (((x.c)::numeric > x.c) OR (y.d < (x.f)::float8)), y.c, ((y.g / 2) / 3) FROM gen_t x JOIN gen_t y ON x.a = y.id WHERE x.id < 30 ORDER BY 1 DESC NULLS LAST, 3 DESC NULLS LAST, 2 LIMIT 28;
SELECT (-13), (coalesce(coalesce('é ', 'X'), CASE WHEN (f > f) THEN '' ELSE h END) > left(coalesce(b, b), 2)) FROM gen_t t ORDER BY 1 DESC NULLS LAST, 2 DESC LIMIT 19;
SELECT e, ((f - f) * (-1.25)), (((35.69 - a) + (c / nullif(c,0))) >= trunc((c * c))), ((-78.55) / 3) FROM gen_t t ORDER BY 2 NULLS LAST, 1 DESC NULLS FIRST, 3 DESC NULLS FIRST, 4 DESC LIMIT 20;
SELECT abs((abs(u.n) + trunc(u.n))), ((-3) / 2), t.e FROM gen_u u JOIN gen_t t ON t.id < u.k AND u.a > 5 WHERE t.e AND u.k > 10.5 ORDER BY 3 NULLS LAST, 2 NULLS FIRST, 1 NULLS LAST LIMIT 20;
SELECT bool_or((h NOT LIKE '%')), max(NULL::text), max((NULL::float8)::numeric) FROM gen_t t WHERE id >= 39 HAVING count(*) > 1 ORDER BY 1 DESC, 3 NULLS LAST, 2 OFFSET 0;
SELECT t.id, t.f, max((t.h || t.b)), (coalesce(sum(u.a),0)) + 1 FROM gen_t t JOIN gen_u u ON t.g = u.a GROUP BY t.id, t.f ORDER BY 3 DESC NULLS LAST, 1 DESC, 2, 4;
SELECT k, s, min(n) FROM gen_u u WHERE k < 10 GROUP BY k, s ORDER BY 2 NULLS LAST, 3 NULLS FIRST, 1 DESC NULLS FIRST LIMIT 24;
SELECT count(DISTINCT 2.50), max(CASE WHEN t.e THEN 'é' ELSE t.h END) FROM gen_u u JOIN gen_t t ON t.id = u.k HAVING min(t.id) IS NOT NULL ORDER BY 1 DESC NULLS FIRST, 2 NULLS FIRST LIMIT 24;
SELECT DISTINCT t.e FROM gen_u u JOIN gen_t t ON t.a = u.a AND (t.e AND t.e) WHERE u.k >= 31 AND t.id < 5 ORDER BY 1 LIMIT 5;
SELECT (t.g)::text, t.c, count((NOT t.e)), min((30 - t.g)) FROM gen_t t JOIN gen_u u ON t.g = u.a WHERE (CASE WHEN (NOT t.e) THEN (t.c)::numeric ELSE (u.n - t.d) END >= coalesce(u.n, (t.c / 3))) GROUP BY (t.g)::text, t.c ORDER BY 2 DESC, 4 NULLS FIRST, 3 DESC NULLS FIRST, 1 DESC NULLS LAST LIMIT 28;
SELECT count(id) FROM gen_t t ORDER BY 1 DESC NULLS FIRST LIMIT 19;
SELECT f FROM gen_t t WHERE id <= 67 ORDER BY 1 DESC NULLS FIRST LIMIT 24 OFFSET 1;
SELECT y.f, max(trunc(67.40)), bool_or((x.h < x.h)), min((-9)), (count(*)) + 1 FROM gen_t x JOIN gen_t y ON x.a = y.id WHERE x.e GROUP BY y.f HAVING count(*) > 1 ORDER BY 3, 2 NULLS LAST, 5 DESC NULLS FIRST, 1 DESC NULLS FIRST, 4 NULLS FIRST LIMIT 26;
SELECT (1e10 / 2), d, (h || c) FROM gen_t t WHERE ((d < d) OR e) ORDER BY 3 DESC, 2 NULLS LAST, 1 DESC NULLS FIRST LIMIT 2 OFFSET 4;
SELECT (length(x.b) - length(y.b)), y.id FROM gen_t x JOIN gen_t y ON x.a = y.id ORDER BY 2 DESC, 1 DESC NULLS LAST LIMIT 15 OFFSET 9;
SELECT (x.a + x.id), avg((- y.c)) FROM gen_t x JOIN gen_t y ON x.a = y.id GROUP BY (x.a + x.id) HAVING min(x.id) IS NOT NULL ORDER BY 1, 2 NULLS FIRST LIMIT 16;
SELECT CASE WHEN e THEN (-29) ELSE g END FROM gen_t t WHERE (id BETWEEN id AND a) AND id > 5 ORDER BY 1 OFFSET 7;
SELECT ((-16))::int8 FROM gen_t t WHERE (b IS NOT NULL) ORDER BY 1 DESC NULLS LAST LIMIT 24;
SELECT f, CASE WHEN e THEN f ELSE f END, CASE WHEN ('' = h) THEN greatest(1e10, 1) ELSE (c)::float8 END, id FROM gen_t t ORDER BY 2 DESC NULLS FIRST, 1, 3 DESC, 4 NULLS LAST LIMIT 22;
SELECT concat(CASE WHEN t.e THEN u.s ELSE t.h END, length(t.h)), false, t.b, lpad(u.s, 4, 'z') FROM gen_u u JOIN gen_t t ON t.a = u.a WHERE t.id >= 22 AND u.k > 25 ORDER BY 4 NULLS FIRST, 2 NULLS FIRST, 3 NULLS LAST, 1 DESC NULLS FIRST;
SELECT CASE WHEN (t.g <> t.g) THEN '%_X_' ELSE t.b END, u.k, min(NULL::float8) FROM gen_u u JOIN gen_t t ON t.id < u.k AND u.a > 5 WHERE (20 NOT IN (t.a)) AND t.id = 5 GROUP BY CASE WHEN (t.g <> t.g) THEN '%_X_' ELSE t.b END, u.k ORDER BY 1 DESC NULLS LAST, 3 DESC NULLS FIRST, 2;
SELECT e, max(g), count((d > 0)), count(*), count(*), (coalesce(sum(id),0)) + 1 FROM gen_t t GROUP BY e ORDER BY 5 NULLS FIRST, 3 DESC NULLS FIRST, 2 NULLS FIRST, 6, 1 DESC NULLS LAST, 4 DESC LIMIT 9;
SELECT (a + (-0.1)), length(s), sum(CASE WHEN false THEN a ELSE a END), max(s) FROM gen_u u WHERE k < 31 GROUP BY (a + (-0.1)), length(s) ORDER BY 1 DESC NULLS FIRST, 3 DESC NULLS FIRST, 2 NULLS LAST, 4 DESC NULLS FIRST;
SELECT e, g, max(lpad(h, 4, 'z')) FROM gen_t t GROUP BY e, g ORDER BY 3 NULLS FIRST, 1 DESC, 2 DESC OFFSET 3;
SELECT f, bool_or((b NOT IN ('a', h, h, b))), sum(abs(f)), (coalesce(sum(id),0)) + 1 FROM gen_t t WHERE ('aécX' IN (h, 'c_', h)) GROUP BY f ORDER BY 2 DESC, 4 DESC, 1 NULLS LAST, 3 DESC NULLS LAST LIMIT 23;
SELECT (-13), (-1.25), lpad(lower(y.h), 4, 'z') FROM gen_t x JOIN gen_t y ON x.a = y.id ORDER BY 2 NULLS FIRST, 3 DESC NULLS LAST, 1 DESC NULLS FIRST LIMIT 18;
SELECT DISTINCT trunc(CASE WHEN (b ILIKE '%XXb') THEN (c * a) ELSE (c + g) END), h FROM gen_t t WHERE id >= 27 AND id IN (96,66,16,96,22) ORDER BY 1 DESC NULLS LAST, 2;
SELECT 19, 26, u.a FROM gen_u u JOIN gen_t t ON t.a = u.a AND t.b = u.s WHERE u.k >= 34 ORDER BY 2, 1 NULLS FIRST, 3 NULLS FIRST;
SELECT true, ((5 * 12) - coalesce((-27), (-13))) FROM gen_u u ORDER BY 2 DESC, 1 LIMIT 4 OFFSET 4;
SELECT count(DISTINCT c), (count(*)) + 1 FROM gen_t t WHERE id >= 59 HAVING min(id) IS NOT NULL ORDER BY 2 DESC NULLS FIRST, 1 NULLS LAST;
SELECT e, ((h || e) || ('a' IN (h, b))), c, (NULL::int4)::int4 FROM gen_t t ORDER BY 3, 4 DESC NULLS FIRST, 2 DESC NULLS FIRST, 1 NULLS LAST LIMIT 12 OFFSET 9;
SELECT a FROM gen_u u ORDER BY 1 DESC LIMIT 9;
SELECT sum((14 * u.n)), max((u.a)::int8), max(u.s), (coalesce(sum(t.a),0)) + 1 FROM gen_t t JOIN gen_u u ON t.a = u.a AND (t.g > t.g) WHERE t.e ORDER BY 2 DESC NULLS FIRST, 3 NULLS FIRST, 1 DESC, 4 NULLS FIRST;
SELECT (u.a + t.c), u.n, 'X', ((u.n - u.n) * 3.14159) FROM gen_u u JOIN gen_t t ON t.g = u.a WHERE (NOT (23 < t.g)) AND t.id IN (44,94,76,60,49) ORDER BY 1 DESC NULLS LAST, 3 NULLS LAST, 2, 4 DESC LIMIT 1;
SELECT h, greatest((CASE WHEN e THEN a ELSE (-10) END + ((-14) / nullif(id,0))), 1), (coalesce(c, c) + c), NULL::varchar FROM gen_t t WHERE (CASE WHEN e THEN (15)::int8 ELSE ((-18) - f) END <> ((g - f))::int8) AND id = 5 ORDER BY 3 NULLS FIRST, 4 NULLS FIRST, 1 NULLS LAST, 2 NULLS FIRST;
SELECT (t.b || u.a) FROM gen_u u JOIN gen_t t ON t.f = u.k WHERE ((coalesce((-23.55), u.n) - (t.g * t.f)) BETWEEN ((t.id)::numeric * u.n) AND ((26.48 / 2))::numeric) ORDER BY 1 OFFSET 2;
SELECT length(b) FROM gen_t t WHERE (NOT e) ORDER BY 1 NULLS FIRST;
SELECT least(g, 5), (id < id) FROM gen_t t WHERE id = 65 ORDER BY 1 DESC NULLS LAST, 2 NULLS FIRST LIMIT 9;
SELECT DISTINCT (10 - g), ((-5))::int8 FROM gen_t t WHERE id >= 3 ORDER BY 2 DESC NULLS FIRST, 1 NULLS FIRST LIMIT 10;
SELECT (CASE WHEN (t.h >= t.b) THEN '' ELSE ' aa' END IS NOT NULL), true, least(CASE WHEN (t.b NOT IN ('')) THEN (0.5 + (-1.25)) ELSE (1e-7 + t.d) END, 5) FROM gen_u u JOIN gen_t t ON t.f = u.k WHERE (u.a < 10) ORDER BY 1, 3 NULLS FIRST, 2 NULLS FIRST LIMIT 1 OFFSET 1;
SELECT min(coalesce(3, g)), sum((f + f)) FROM gen_t t WHERE (((f - f) < (-3)) AND (id = length(h))) ORDER BY 2 DESC NULLS FIRST, 1 LIMIT 30;
SELECT (id - 2), bool_or(((NULL::int8 < f) AND (0.5 <= 0))), avg(CASE WHEN (id < 2) THEN c ELSE c END), min(CASE WHEN (14 >= id) THEN d ELSE (-1.25) END) FROM gen_t t GROUP BY (id - 2) ORDER BY 4 DESC NULLS FIRST, 2, 1 DESC NULLS FIRST, 3 LIMIT 23 OFFSET 8;
SELECT '%%cé', ((-15) + c), e FROM gen_t t WHERE id <= 49 ORDER BY 3 DESC NULLS LAST, 1 DESC NULLS LAST, 2 DESC NULLS FIRST LIMIT 27;
SELECT count(DISTINCT (f * f)), max(h), avg(g) FROM gen_t t WHERE id >= 62 AND id < 10.5 ORDER BY 2 DESC NULLS LAST, 3 DESC NULLS FIRST, 1;
SELECT max(0), sum((-24)) FROM gen_u u WHERE k <= 14 HAVING min(k) IS NOT NULL ORDER BY 1 NULLS FIRST, 2 DESC NULLS FIRST;
SELECT (4)::int4, lpad(b, 4, 'z'), count(DISTINCT (f * f)) FROM gen_t t WHERE (c = c) AND id < 10.5 GROUP BY (4)::int4, lpad(b, 4, 'z') ORDER BY 2 DESC NULLS LAST, 1, 3 NULLS LAST;
SELECT y.id, y.g, (y.c * (y.c)::numeric) FROM gen_t x JOIN gen_t y ON x.a = y.id WHERE (x.g >= y.g) AND y.id < 38 ORDER BY 1 DESC, 2 DESC NULLS LAST, 3 DESC NULLS FIRST LIMIT 15;
SELECT CASE WHEN (y.g <> y.g) THEN CASE WHEN (1 > x.f) THEN y.d ELSE (-0.1) END ELSE coalesce(y.d, y.d) END, (abs(8) * (y.d + 3.14159)) FROM gen_t x JOIN gen_t y ON x.a = y.id ORDER BY 2 DESC NULLS FIRST, 1 DESC LIMIT 16;
SELECT coalesce(b, h), e, (((-18) + 3))::int2 FROM gen_t t WHERE id < 57 ORDER BY 3 NULLS LAST, 1 DESC NULLS FIRST, 2 OFFSET 7;
SELECT u.a, (t.h || t.b), bool_or(t.e), avg(((-15))::int8), max((t.f)::text), sum(DISTINCT t.c) FROM gen_t t JOIN gen_u u ON t.a = u.a AND t.b = u.s GROUP BY u.a, (t.h || t.b) HAVING sum(t.f) > 0 ORDER BY 4 DESC, 3 NULLS FIRST, 2 NULLS LAST, 5, 6 DESC, 1 DESC LIMIT 4;
SELECT coalesce(CASE WHEN (11 = 18) THEN 'caé' ELSE s END, concat(s, a)), 0 FROM gen_u u WHERE (84.69 >= n) ORDER BY 1 DESC, 2 NULLS FIRST;
SELECT (-14), s FROM gen_u u WHERE ((n)::text IS NOT NULL) ORDER BY 1 DESC, 2 LIMIT 12;
SELECT t.a, count(*), bool_or(((t.h > u.s) AND (t.g > t.g))), max(substr(t.h,2,2)) FROM gen_t t JOIN gen_u u ON t.f = u.k WHERE u.k <= 66 GROUP BY t.a HAVING count(*) > 1 ORDER BY 2 NULLS LAST, 3 NULLS FIRST, 4 DESC NULLS FIRST, 1 DESC NULLS LAST OFFSET 7;
SELECT CASE WHEN (t.g > t.g) THEN t.id ELSE u.a END, t.d, t.id, greatest((t.d + CASE WHEN t.e THEN (-0.1) ELSE t.d END), 1) FROM gen_t t JOIN gen_u u ON t.id = u.k ORDER BY 4 DESC NULLS LAST, 1 NULLS LAST, 3 NULLS FIRST, 2 LIMIT 24 OFFSET 7;
SELECT e, concat('', id), count(coalesce(id, id)), count(*), (coalesce(sum(a),0)) + 1 FROM gen_t t WHERE (id IN (id, a, id)) AND id < 22 GROUP BY e, concat('', id) HAVING min(id) IS NOT NULL ORDER BY 5, 1 DESC, 2, 4 DESC NULLS FIRST, 3 DESC;
SELECT ((CASE WHEN (t.g > (-25)) THEN t.d ELSE t.d END - t.d))::text, (reverse(t.b) NOT LIKE 'b_%X'), t.e FROM gen_u u JOIN gen_t t ON t.a = u.a AND (t.e OR t.e) WHERE ('Xb ' IS NOT NULL) ORDER BY 1, 2 DESC, 3 NULLS FIRST LIMIT 28;
SELECT (- t.id), bool_or((u.k < t.f)), (count(*)) + 1 FROM gen_t t JOIN gen_u u ON t.id < u.k AND u.a > 5 WHERE (t.h NOT LIKE 'abb_') GROUP BY (- t.id) HAVING sum(u.n) > 0 ORDER BY 1 DESC, 2 DESC NULLS LAST, 3 DESC NULLS FIRST;
SELECT substr(u.s,2,2), count(DISTINCT (t.f + u.k)) FROM gen_t t JOIN gen_u u ON t.a = u.a AND t.b = u.s WHERE (u.a > (t.a - 18)) AND t.id > 14 GROUP BY substr(u.s,2,2) ORDER BY 2 DESC NULLS FIRST, 1 NULLS FIRST LIMIT 29;
SELECT max(lower(x.b)), bool_or(x.e), count(*) FROM gen_t x JOIN gen_t y ON x.a = y.id WHERE ((33.94 * y.c) BETWEEN y.c AND y.c) AND x.id = 7 ORDER BY 3, 2 DESC NULLS LAST, 1 NULLS FIRST LIMIT 4;
SELECT DISTINCT 'é', s, ((k / 2) + (n * (-1.54))) FROM gen_u u WHERE k >= 32 AND k > 50 ORDER BY 2, 1, 3 NULLS LAST LIMIT 24 OFFSET 6;
SELECT g, max(id) FROM gen_t t WHERE id < 58 AND id IN (9,56,98,50,60) GROUP BY g HAVING sum(f) > 0 ORDER BY 2 DESC NULLS FIRST, 1 NULLS FIRST LIMIT 11;
SELECT k, count(CASE WHEN true THEN ' bc' ELSE s END) FROM gen_u u WHERE (12 < a) GROUP BY k ORDER BY 1, 2 DESC NULLS LAST LIMIT 9 OFFSET 8;
SELECT DISTINCT e, coalesce(coalesce(g, (-18)), (g - 4)), (e)::text, b FROM gen_t t WHERE (f >= 15) ORDER BY 1 NULLS LAST, 4 DESC NULLS LAST, 3 DESC, 2 NULLS FIRST LIMIT 22 OFFSET 6;
SELECT (t.e IS NULL), t.h, (-12.51), 1e10 FROM gen_t t JOIN gen_u u ON t.a = u.a AND t.b = u.s WHERE (NOT t.e) ORDER BY 2 DESC NULLS FIRST, 4 NULLS FIRST, 1 DESC NULLS FIRST, 3 LIMIT 15;
SELECT g FROM gen_t t ORDER BY 1 DESC LIMIT 25;
SELECT coalesce(t.id, t.id), count(true), bool_or(((u.k < t.f) OR (0.5 = 1e10))), max((t.h || (-55.91))) FROM gen_u u JOIN gen_t t ON t.a = u.a GROUP BY coalesce(t.id, t.id) HAVING min(t.id) IS NOT NULL ORDER BY 2 NULLS FIRST, 1 DESC NULLS LAST, 3 DESC, 4 DESC NULLS FIRST LIMIT 1;
DROP TABLE gen_t;
DROP TABLE gen_u;
